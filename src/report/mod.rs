//! Views of results: text for people, JSON for tools. Plain data in, text out.
//!
//! Owns wording and layout, decides nothing, and writes to whatever it is handed: nothing here knows whether that is a
//! terminal, and a view with colours has to be asked for.

mod annotations;
mod json;
mod junit;
mod markdown;
mod text;

pub use annotations::write_annotations;
pub use json::write_json;
pub use junit::write_junit;
pub use markdown::write_markdown;
pub use text::{
    ExplainLook, Look, WaterfallLook, write_capacity, write_compare, write_diagnosis, write_explanation, write_link, write_replay,
    write_scaling, write_sweep, write_text, write_waterfall,
};
