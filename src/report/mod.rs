//! Views of results: text for people, JSON for tools. Plain data in, text out.
//!
//! Owns wording and layout, decides nothing, and writes to whatever it is handed: nothing here knows whether that is a
//! terminal, and a view with colours has to be asked for.

mod json;
mod text;

pub use json::write_json;
pub use text::{Look, WaterfallLook, write_replay, write_text, write_waterfall};
