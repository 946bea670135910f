//! Views of results: text and JSON.
