//! The collection that a run works on: made, filled, indexed, loaded and dropped, or taken as it is.
//!
//! Never drops or changes a collection that this very run did not make: a collection of the same name stops the run before
//! anything is sent, and at the end the one that was made is recognised by its mark.

mod describe;
mod description;
mod error;
mod make;
mod mark;
mod rpc;

use crate::units::Nanos;
use crate::wire::common;
use crate::wire::milvus as pb;
use crate::workload::{Seed, Vectors};

use super::connection::Client;
use super::settings::{CollectionSettings, TargetSettings};
use mark::Mark;
use rpc::{Deadline, Rpc, if_offered};

pub use description::{Collection, Filled, Primary, PrimaryKind, Scalar};
pub use error::SetupError;

/// The name of the key in a collection that tailtrace makes.
const OWN_PRIMARY: &str = "id";
/// The name of the vector field in a collection that tailtrace makes.
const OWN_VECTOR: &str = "vector";

/// What dropping may take.
const DROP_WITHIN: Nanos = Nanos::from_secs(60);

/// How far set-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Rows are written.
    Filling {
        /// So many are.
        rows: u64,
        /// Of so many.
        of: u64,
    },
    /// What was written is sealed, so that it can be indexed.
    Flushing,
    /// The index is built.
    Indexing {
        /// Over so many rows.
        rows: u64,
        /// Of so many.
        of: u64,
    },
    /// The collection is loaded.
    Loading {
        /// 0 to 100.
        percent: u8,
    },
}

/// A collection that is ready, and the vectors to send.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The collection.
    pub collection: Collection,
    /// Its rows, the queries and the rows to write.
    pub vectors: Vectors,
}

/// Set-up before a run, and cleaning up after it.
#[derive(Debug)]
pub struct Setup {
    rpc: Rpc,
    made: Option<Made>,
    /// How long a target that is out of reach is asked again, when it is left.
    reach_within: Nanos,
}

/// The collection that this run made.
#[derive(Debug, Clone)]
struct Made {
    name: String,
    mark: Mark,
    keep: bool,
}

impl Setup {
    /// Asks the target who it is.
    ///
    /// # Errors
    /// Where it does not answer in time, or is no Milvus.
    pub async fn connect(client: Client, target: &TargetSettings, uri: &str) -> Result<Self, SetupError> {
        let mut rpc = Rpc::new(client, uri.to_owned())?;
        let answer = rpc
            .call("GetVersion", target.connect_within, pb::GetVersionRequest {}, async |mut client, request| {
                client.get_version(request).await
            })
            .await
            .map_err(|error| error.of_first_call(target.connect_within));
        if let Some(answer) = if_offered::<pb::GetVersionResponse>(answer)?
            && !answer.version.is_empty()
        {
            rpc.version = answer.version;
        }
        Ok(Self { rpc, made: None, reach_within: target.connect_within })
    }

    /// What the target says it is, such as `v2.5.11`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.rpc.version
    }

    /// Whether a collection stands, or half of one, that this run made and has not dropped.
    #[must_use]
    pub const fn has_made(&self) -> bool {
        self.made.is_some()
    }

    /// Makes the collection, or takes the existing one with `reuse`; it is loaded when this ends. Queries and written rows
    /// follow from `seed`; so do the rows that it is filled with.
    ///
    /// Where it fails, or is dropped before it ends, [`Setup::leave`] cleans up.
    ///
    /// # Errors
    /// Everything that keeps requests from being sent.
    pub async fn prepare(
        &mut self,
        settings: &CollectionSettings,
        seed: Seed,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Prepared, SetupError> {
        let deadline = Deadline::new(&settings.name, settings.ready_within);
        if settings.reuse {
            return self.reuse(settings, seed, &deadline, progress).await;
        }
        let prepared = self.make(settings, seed, &deadline, progress).await;
        if prepared.is_err()
            && let Some(made) = &mut self.made
        {
            // Half a collection is of no use to anybody. Why it is only half is what is told, whatever comes of dropping it.
            made.keep = false;
            let _ = self.leave().await;
        }
        prepared
    }

    async fn reuse(
        &mut self,
        settings: &CollectionSettings,
        seed: Seed,
        deadline: &Deadline,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Prepared, SetupError> {
        let collection = describe::take(&self.rpc, settings, deadline).await?;
        if !make::is_loaded(&self.rpc, &settings.name, deadline, progress).await? {
            make::load(&mut self.rpc, &settings.name, deadline, progress).await?;
        }
        let data = collection.filled.map_or(seed, |filled| filled.seed);
        let vectors = Vectors::new(data, collection.dim).drawing(seed);
        Ok(Prepared { collection, vectors })
    }

    async fn make(
        &mut self,
        settings: &CollectionSettings,
        seed: Seed,
        deadline: &Deadline,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Prepared, SetupError> {
        let name = &settings.name;
        if let Some(existing) = describe::describe(&self.rpc, name, deadline).await? {
            let own = existing.schema.is_some_and(|schema| Mark::read(&schema.description).is_some());
            return Err(SetupError::Exists { name: name.clone(), own });
        }
        let mark = Mark::new(settings.rows.get(), seed);
        // Noted before the call: where it is given up while Milvus carries it out, cleaning up still finds it by its mark.
        self.made = Some(Made { name: name.clone(), mark, keep: settings.keep });
        make::create(&self.rpc, settings, &mark, deadline).await?;
        let vectors = Vectors::new(seed, settings.dim() as usize);
        make::fill(&mut self.rpc, settings, &vectors, deadline, progress).await?;
        make::flush(&mut self.rpc, name, deadline, progress).await?;
        make::index(&mut self.rpc, settings, deadline, progress).await?;
        make::load(&mut self.rpc, name, deadline, progress).await?;
        let collection = Collection {
            name: name.clone(),
            primary: Primary { name: OWN_PRIMARY.to_owned(), kind: PrimaryKind::Int64, auto: false },
            vector_field: OWN_VECTOR.to_owned(),
            dim: vectors.dim(),
            metric: settings.metric(),
            scalars: Vec::new(),
            consistency: Some(settings.consistency),
            filled: Some(Filled { rows: settings.rows.get(), seed }),
        };
        Ok(Prepared { collection, vectors })
    }

    /// Drops the collection where this run made it and it is not to be kept. Does nothing the second time.
    ///
    /// A load may have left the target out of breath: it is asked again for as long as it was given to answer at first
    /// (`target.connect_within`).
    ///
    /// # Errors
    /// Where it could not be dropped: it is still there then.
    pub async fn leave(&mut self) -> Result<(), SetupError> {
        let Some(made) = self.made.take().filter(|made| !made.keep) else { return Ok(()) };
        let deadline = Deadline::new(&made.name, DROP_WITHIN);
        let again = Deadline::new(&made.name, self.reach_within);
        loop {
            match self.drop_made(&made, &deadline).await {
                Err(error) if error.may_pass() && self.rpc.pause(&again, "dropped").await.is_ok() => {}
                outcome => return outcome,
            }
        }
    }

    /// Safe to repeat: what is gone, or not ours, is left alone.
    async fn drop_made(&self, made: &Made, deadline: &Deadline) -> Result<(), SetupError> {
        let there = describe::describe(&self.rpc, &made.name, deadline).await?;
        // Somebody may have dropped ours and made another of that name meanwhile: that one is not ours to drop.
        let mark = there.and_then(|there| Mark::read(&there.schema?.description));
        if mark != Some(made.mark) {
            return Ok(());
        }
        let request = pb::DropCollectionRequest { collection_name: made.name.clone(), ..Default::default() };
        let _: common::Status = self
            .rpc
            .call_before("DropCollection", deadline, request, async |mut client, request| client.drop_collection(request).await)
            .await?;
        Ok(())
    }
}
