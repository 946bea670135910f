//! From a scenario file and overrides to a plan, with errors that point.
//!
//! Owns the scenario's syntax, its defaults and what its keys must keep to together. What is typed ([`ScenarioFile`]) and
//! what the program needs ([`Plan`]) are two types; nothing is sent, opened or resolved by name here.
//!
//! ```
//! use tailtrace::scenario;
//! let text = r#"
//!     target.uri = "practice"
//!     [[stream]]
//!     name = "readers"
//!     operation = "search"
//!     rate = "500/s"
//! "#;
//! let plan = scenario::parse(text, "example.toml", &scenario::Overrides::default()).unwrap();
//! assert_eq!(plan.streams[0].name, "readers");
//! let error = scenario::parse(&text.replace("rate", "rat"), "example.toml", &scenario::Overrides::default()).unwrap_err();
//! assert!(error.to_string().starts_with("example.toml:6:5: stream `readers`: unknown key `rat`"));
//! ```

mod decode;
pub mod defaults;
mod error;
mod file;
mod gate;
mod gates;
mod metric;
mod nearest;
mod overrides;
mod percentile;
mod plan;
mod read;
mod resolve;
mod schema;
mod stored;
mod tree;

pub use error::{Diagnostic, ScenarioError, Spot};
pub use file::{LoadTable, OperationName, ScenarioFile, StageTable, StreamTable};
pub use gate::{Comparison, Gate, Limit, Quantity};
pub use gates::Gates;
pub use metric::{Metric, MetricError, Statistic, Time};
pub use percentile::Percentile;
pub use plan::{Lanes, Load, Plan, Stream};
pub use read::{Overrides, parse, practice_settings, read, reread};
pub use schema::json_schema;

#[cfg(test)]
mod tests;
