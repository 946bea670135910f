//! Recall of the measured searches, judged after the run and off the lanes.

use crate::milvus::collection::Prepared;
use crate::milvus::operation::{Kept, Settings, mean_recall};
use crate::result::model;
use crate::scenario::Plan;
use crate::stats::CONFIDENCE;
use crate::stats::interval::wilson_share;

/// Puts the lanes' kept answers together and each search stream's recall into its figures.
pub(super) fn judge(streams: &mut [model::Stream], lanes: Vec<Vec<Kept>>, plan: &Plan, prepared: &Prepared) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut joined: Vec<Kept> = std::iter::repeat_with(Kept::default).take(streams.len()).collect();
    for lane in lanes {
        for (all, kept) in joined.iter_mut().zip(lane) {
            all.join(kept);
        }
    }
    for (index, (stream, kept)) in streams.iter_mut().zip(&joined).enumerate() {
        let Settings::Search(search) = &plan.streams[index].operation else { continue };
        stream.recall = mean_recall(kept, &prepared.collection, &prepared.vectors, index as u16, search.top_k, threads).map(|recall| {
            // Queries are independent draws; a recall is a share, whose variance is at most that of a coin.
            let interval = wilson_share(recall.mean, recall.queries as f64, CONFIDENCE);
            model::Recall {
                at: u64::from(recall.at),
                mean: recall.mean,
                queries: recall.queries as u64,
                interval: Some([interval.low, interval.high]),
            }
        });
    }
}
