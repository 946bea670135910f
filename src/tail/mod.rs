//! From outlier to guilty span.
