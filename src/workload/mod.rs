//! What to send: vectors, ids, the exact answers and how near an answer came to them. Seeded; knows no wire.
//!
//! Everything here is a pure function of a [`Seed`] and of numbers that name the thing wanted: row 17 is the same row on
//! every machine, in every lane, before and after any other call. So a set-up, a measurement and the ground truth agree on
//! the data without ever handing it to each other.
//!
//! ```
//! use tailtrace::workload::{Metric, Seed, Vectors, ground_truth, recall};
//! let vectors = Vectors::new(Seed(7), 16);
//! let mut query = vec![0.0; 16];
//! vectors.query(0, 42, &mut query);
//! let truth = ground_truth(&vectors, 1_000, &query, 10, Metric::L2, 1);
//! let found: Vec<i64> = truth[0].iter().map(|neighbour| neighbour.id).collect();
//! assert_eq!(recall(&found, &truth[0], Metric::L2, |id| vectors.distance_to_row(&query, id, 1_000, Metric::L2)), Some(1.0));
//! ```

mod ids;
mod metric;
mod noise;
mod recall;
mod seed;
mod truth;
mod vectors;

pub use ids::{MAX_ROWS, WrittenIds, is_written};
pub use metric::Metric;
pub use recall::recall;
pub use seed::{Draws, Purpose, Seed};
pub use truth::{Neighbour, ground_truth};
pub use vectors::{CLUSTERS, Vectors};
