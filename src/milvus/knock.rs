//! One cheap call that changes nothing and needs nothing: does a collection of this name exist? With a trace context, to see
//! how far a trace comes.

use tonic::Request;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};

use crate::load::Failure;
use crate::trace::{ContextHeader, Outcome};
use crate::units::Nanos;
use crate::wire::milvus::{GetVersionRequest, HasCollectionRequest};
use crate::wire::{failure_code, is_success};

use super::Client;

/// The method that [`has_collection`] calls.
pub const KNOCK_METHOD: &str = "HasCollection";

/// Whether there is such a collection.
///
/// # Errors
/// As the answer says it.
pub async fn has_collection(client: &mut Client, name: &str, context: Option<ContextHeader>, within: Nanos) -> Result<bool, Failure> {
    let mut request = Request::new(HasCollectionRequest { collection_name: name.to_owned(), ..Default::default() });
    request.set_timeout(within.as_duration());
    if let Some(ContextHeader { name, value }) = context
        && let (Ok(key), Ok(value)) =
            (MetadataKey::<Ascii>::from_bytes(name.as_str().as_bytes()), MetadataValue::<Ascii>::try_from(value.as_bytes()))
    {
        request.metadata_mut().insert(key, value);
    }
    let answer = client.has_collection(request).await.map_err(|status| refused(&status))?.into_inner();
    match answer.status {
        Some(status) if !is_success(&status) => {
            let outcome = Outcome::Milvus(failure_code(&status));
            Err(Failure { outcome, reason: status.reason })
        }
        _ => Ok(answer.value),
    }
}

/// What the server says it is.
///
/// # Errors
/// As the answer says it.
pub async fn version(client: &mut Client, within: Nanos) -> Result<String, Failure> {
    let mut request = Request::new(GetVersionRequest {});
    request.set_timeout(within.as_duration());
    client.get_version(request).await.map(|answer| answer.into_inner().version).map_err(|status| refused(&status))
}

fn refused(status: &tonic::Status) -> Failure {
    Failure { outcome: Outcome::Grpc(status.code() as i32 as u8), reason: status.message().to_owned() }
}
