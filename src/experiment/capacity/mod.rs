//! How many requests a second meet the SLOs?
//!
//! [`search`] decides, from the probes so far alone, what to probe next and when the answer is known; [`edge`] estimates the rate from all
//! probes together. `docs/method.md` says why it is done so.

mod edge;
mod search;

pub use search::{Answer, Ask, Next, Probe, Purpose, Question, Shown, Verdict, give_up, next};
