//! What the runs of a series share: the collections that its first runs made, which rows were written into them, and the floors.
//!
//! A run of a series that needs a collection which an earlier one made takes it as it is, through a connection of its own, so
//! that a target which was restarted between them is asked again whether all is loaded; where it has lost them, they are made again. The collections are dropped when the series
//! ends. The practice target in this process goes with every run: making its collection takes moments, and its behaviour may be
//! what is varied.
//!
//! Each run writes rows of its own: ids that an earlier run gave out would make its inserts into upserts. The instrument's floor is
//! measured once for all runs that it holds for ([`Conditions`]).

use crate::milvus::operation::Kept;
use crate::milvus::{Address, CollectionSettings, TargetSettings};
use crate::result::model::Floor;
use crate::scenario::Plan;

use super::floor::Conditions;
use super::standing::Standing;

/// The collections of a series of runs. End it with [`Shared::end`]: dropped without, it leaves them on the target.
#[derive(Default)]
#[must_use]
pub struct Shared {
    made: Vec<Made>,
    written: Vec<Written>,
    floors: Vec<(Conditions, Floor)>,
}

struct Made {
    target: TargetSettings,
    collection: CollectionSettings,
    standing: Standing,
}

/// Rows that the series' runs have written into one collection, of each stream.
struct Written {
    uri: Address,
    database: Option<String>,
    collection: String,
    rows: Vec<u64>,
}

impl Written {
    fn is_of(&self, plan: &Plan) -> bool {
        self.uri == plan.target.uri && self.database == plan.target.database && self.collection == plan.collection.name
    }
}

impl Shared {
    /// Nothing stands yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether an earlier run made what this plan needs.
    pub(super) fn holds(&self, plan: &Plan) -> bool {
        self.made.iter().any(|made| made.target == plan.target && made.collection == plan.collection)
    }

    /// Keeps what a run made. Where an earlier one had made the same, it was gone with its target.
    pub(super) fn keep(&mut self, plan: &Plan, standing: Standing) {
        self.made.retain(|made| made.target != plan.target || made.collection != plan.collection);
        self.made.push(Made { target: plan.target.clone(), collection: plan.collection.clone(), standing });
    }

    /// How many rows the series has written as each stream of the plan into the collection that it works on.
    pub(super) fn written(&self, plan: &Plan) -> Vec<u64> {
        let mut rows = self.written.iter().find(|written| written.is_of(plan)).map(|written| written.rows.clone()).unwrap_or_default();
        rows.resize(plan.streams.len(), 0);
        rows
    }

    /// Notes what a run's lanes have written. The practice target in this process begins anew with every run.
    pub(super) fn wrote(&mut self, plan: &Plan, lanes: &[Vec<Kept>]) {
        if plan.practice.is_some() {
            return;
        }
        let mut rows = self.written(plan);
        for lane in lanes {
            for (rows, kept) in rows.iter_mut().zip(lane) {
                *rows = kept.written().max(*rows);
            }
        }
        match self.written.iter_mut().find(|written| written.is_of(plan)) {
            Some(written) => written.rows = rows,
            None => self.written.push(Written {
                uri: plan.target.uri.clone(),
                database: plan.target.database.clone(),
                collection: plan.collection.name.clone(),
                rows,
            }),
        }
    }

    /// The floor that an earlier run measured under such conditions.
    pub(super) fn floor(&self, conditions: &Conditions) -> Option<Floor> {
        let (_, floor) = self.floors.iter().find(|(measured, _)| conditions.are_met_by(measured))?;
        Some(Floor { of_series: true, ..*floor })
    }

    /// Keeps a floor for later runs.
    pub(super) fn keep_floor(&mut self, conditions: Conditions, floor: Floor) {
        self.floors.push((conditions, floor));
    }

    /// Drops the collections that the plans do not ask to keep. Says what went wrong with that: it changes nothing that was measured.
    #[must_use]
    pub fn end(self) -> Vec<String> {
        self.made.into_iter().filter_map(|made| made.standing.end()).collect()
    }
}

/// Gives plans that need different collections on one target different names for them, so that all of them can stand at the same
/// time: the first keeps its name, another is called `<name>_2`, and so on.
pub fn name_apart(plans: &mut [Plan]) {
    for at in 1..plans.len() {
        let (before, rest) = plans.split_at_mut(at);
        let plan = &mut rest[0];
        if plan.practice.is_some() || plan.collection.reuse {
            continue;
        }
        // What an earlier plan asked for under this name, before it was renamed itself.
        let wanted = plan.collection.clone();
        let same_place = |other: &&Plan| other.target.uri == plan.target.uri && other.target.database == plan.target.database;
        let others: Vec<&Plan> = before.iter().filter(same_place).collect();
        let fits = |name: &str| {
            let candidate = CollectionSettings { name: name.to_owned(), ..wanted.clone() };
            others.iter().all(|other| other.collection.name != name || other.collection == candidate)
        };
        let mut name = wanted.name.clone();
        for number in 2_usize.. {
            if fits(&name) {
                break;
            }
            name = format!("{}_{number}", wanted.name);
        }
        plan.collection.name = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{self, Overrides};

    fn plan(set: &[&str]) -> Plan {
        let text = "[target]\nuri = \"http://localhost:1\"\n[[stream]]\nname = \"r\"\noperation = \"search\"\nrate = \"9/s\"\n";
        let set = set.iter().map(|set| (*set).to_owned()).collect();
        scenario::parse(text, "s.toml", &Overrides { set, seed: Some(1) }).unwrap()
    }

    fn names(plans: &[Plan]) -> Vec<&str> {
        plans.iter().map(|plan| plan.collection.name.as_str()).collect()
    }

    #[test]
    fn plans_that_differ_in_the_collection_get_one_each_and_the_others_share() {
        let sets: [&[&str]; 5] =
            [&[], &["r.rate=5/s"], &["collection.dim=99"], &["collection.rows=7"], &["collection.dim=99", "r.rate=4/s"]];
        let mut plans: Vec<Plan> = sets.iter().map(|set| plan(set)).collect();
        name_apart(&mut plans);
        assert_eq!(names(&plans), ["tailtrace", "tailtrace", "tailtrace_2", "tailtrace_3", "tailtrace_2"]);
    }

    #[test]
    fn two_targets_have_a_collection_of_the_same_name_each_and_one_that_exists_is_not_renamed() {
        let mut plans = [plan(&[]), plan(&["target.uri=http://localhost:2", "collection.rows=7"])];
        name_apart(&mut plans);
        assert_eq!(names(&plans), ["tailtrace", "tailtrace"]);
        let mut plans = [plan(&["collection.reuse=true"]), plan(&["collection.reuse=true", "collection.ready_within=9s"])];
        name_apart(&mut plans);
        assert_eq!(names(&plans), ["tailtrace", "tailtrace"]);
    }
}
