//! One unary call over tonic's channel with bytes on both sides.
//!
//! The channel is called as the tower service that it is: request built from prepared headers and encoded bytes, answer
//! read frame by frame. That leaves out what a generated client adds to every call (codec, metadata maps, streams), and
//! keeps what a channel is there for: connecting again after the connection was lost.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};
use percent_encoding::percent_decode;
use tonic::body::Body;
use tonic::transport::Channel;
use tower_service::Service as _;

use crate::trace::ContextHeader;
use crate::units::Causes;

use super::operation::MAX_MESSAGE;

/// Bytes before a message: a flag (compressed or not) and the length, big-endian.
pub(crate) const PREFIX: usize = 5;

/// The longest answer that is read: no message of Milvus's is longer, and a server that is none must not fill the memory.
const LONGEST: usize = PREFIX + MAX_MESSAGE;

/// gRPC's code for a call that went well.
pub(crate) const CODE_OK: u8 = 0;
const CODE_UNKNOWN: u8 = 2;
const CODE_RESOURCE_EXHAUSTED: u8 = 8;
const CODE_INTERNAL: u8 = 13;
const CODE_UNAVAILABLE: u8 = 14;

/// What came back: the status, and the message where there is one.
#[derive(Debug)]
pub struct Answer {
    /// The gRPC status code, 0 to 16.
    pub(crate) code: u8,
    /// What the server, or the transport, said beside a status that is not OK.
    pub(crate) message: String,
    /// The encoded message, without its prefix; empty where the status is not OK.
    pub(crate) body: Bytes,
}

/// A method, with the headers that every call of it carries.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    uri: Uri,
    headers: HeaderMap,
}

impl Caller {
    /// A caller of `path` (such as `/milvus.proto.milvus.MilvusService/Search`) that sends `headers` (authorization, for
    /// instance) with every call.
    ///
    /// # Panics
    /// Where the path is none; paths come from the protobuf, not from users.
    pub(crate) fn new(path: &str, mut headers: HeaderMap) -> Self {
        headers.insert(http::header::TE, HeaderValue::from_static("trailers"));
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        Self { uri: path.parse().expect("a method's path is a URI"), headers }
    }

    /// Sends one request (`framed`: prefix and message) and waits for the whole answer.
    pub(crate) fn call(
        &self,
        mut channel: Channel,
        framed: Bytes,
        context: Option<ContextHeader>,
    ) -> impl Future<Output = Answer> + 'static {
        let mut request = Request::new(Body::new(Once(Some(framed))));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(context) = context {
            request.headers_mut().insert(context.name, context.value);
        }
        async move {
            if let Err(error) = std::future::poll_fn(|context| channel.poll_ready(context)).await {
                return Answer::lost(&error);
            }
            match channel.call(request).await {
                Ok(response) => read(response).await,
                Err(error) => Answer::lost(&error),
            }
        }
    }
}

/// A request's body: one piece, known as a whole.
struct Once(Option<Bytes>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Answer {
    fn failed(code: u8, message: String) -> Self {
        Self { code, message, body: Bytes::new() }
    }

    /// The call never got an answer: the connection could not be made, or was lost.
    fn lost(error: &dyn std::error::Error) -> Self {
        Self::failed(CODE_UNAVAILABLE, Causes(error).to_string())
    }
}

/// Reads an answer to its end. The status stands in the trailers, or in the headers where there is no body.
async fn read(response: http::Response<Body>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    let mut trailers = None;
    let mut length = 0;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(status) => return Answer::failed(i32::from(status.code()) as u8, status.message().to_owned()),
        };
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > LONGEST {
            // The rest is not waited for: dropping the body resets the stream.
            return Answer::failed(
                CODE_RESOURCE_EXHAUSTED,
                format!("the answer is longer than {MAX_MESSAGE} bytes: ask for less (`top_k`)"),
            );
        }
        match frame.into_data() {
            Ok(data) if first.is_empty() && rest.is_none() => first = data,
            Ok(data) => rest.get_or_insert_with(|| BytesMut::from(first.as_ref())).extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let framed = rest.map_or(first, BytesMut::freeze);
    judge(head.status, trailers.as_ref().unwrap_or(&head.headers), &framed)
}

/// From HTTP status, trailers and the framed message to the answer.
fn judge(http: http::StatusCode, trailers: &HeaderMap, framed: &Bytes) -> Answer {
    static STATUS: HeaderName = HeaderName::from_static("grpc-status");
    static MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
    let Some(code) = trailers.get(&STATUS) else {
        return Answer::failed(CODE_UNKNOWN, format!("the answer (HTTP {http}) has no gRPC status: is this a gRPC server?"));
    };
    let code = code.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(CODE_UNKNOWN);
    if code != CODE_OK {
        // gRPC percent-encodes what is not printable ASCII in a status message.
        let message = trailers.get(&MESSAGE).map(|message| percent_decode(message.as_bytes()).decode_utf8_lossy().into_owned());
        return Answer::failed(code, message.unwrap_or_default());
    }
    match framed.first_chunk::<PREFIX>() {
        Some([0, length @ ..]) if u32::from_be_bytes(*length) as usize == framed.len() - PREFIX => {
            Answer { code, message: String::new(), body: framed.slice(PREFIX..) }
        }
        Some([1, ..]) => Answer::failed(CODE_INTERNAL, "the answer is compressed, which was not asked for".to_owned()),
        _ => Answer::failed(CODE_INTERNAL, format!("the answer's {} bytes are not one gRPC message", framed.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(code: &str) -> HeaderMap {
        [(HeaderName::from_static("grpc-status"), HeaderValue::from_str(code).unwrap())].into_iter().collect()
    }

    fn framed(flag: u8, length: u32, message: &[u8]) -> Bytes {
        [&[flag][..], &length.to_be_bytes(), message].concat().into()
    }

    #[test]
    fn a_whole_message_under_status_0_is_the_answer() {
        let answer = judge(http::StatusCode::OK, &trailers("0"), &framed(0, 3, b"abc"));
        assert_eq!((answer.code, answer.body.as_ref()), (0, &b"abc"[..]));
    }

    #[test]
    fn what_is_not_one_whole_message_is_an_internal_error() {
        for broken in [framed(0, 4, b"abc"), framed(0, 2, b"abc"), framed(1, 3, b"abc"), Bytes::new(), Bytes::from_static(&[0, 0])] {
            let answer = judge(http::StatusCode::OK, &trailers("0"), &broken);
            assert_eq!(answer.code, CODE_INTERNAL, "{broken:?}");
            assert!(answer.body.is_empty());
        }
    }

    #[test]
    fn a_status_that_is_not_ok_keeps_its_message_decoded() {
        let mut with_message = trailers("14");
        with_message.insert("grpc-message", HeaderValue::from_static("caf%C3%A9 100% closed"));
        let answer = judge(http::StatusCode::OK, &with_message, &Bytes::new());
        assert_eq!((answer.code, answer.message.as_str()), (14, "café 100% closed"));
    }

    #[test]
    fn a_server_that_speaks_no_grpc_is_named() {
        let answer = judge(http::StatusCode::NOT_FOUND, &HeaderMap::new(), &Bytes::new());
        assert_eq!(answer.code, CODE_UNKNOWN);
        assert!(answer.message.contains("404"), "{}", answer.message);
    }

    /// An answer of so many frames of a MiB each, without trailers.
    struct Long(usize, Bytes);

    impl http_body::Body for Long {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(self.1.clone()))))
        }
    }

    #[test]
    fn an_answer_longer_than_any_message_is_not_read_to_its_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read_mib = |mib| runtime.block_on(read(http::Response::new(Body::new(Long(mib, Bytes::from(vec![0; 1 << 20]))))));
        let too_long = read_mib((MAX_MESSAGE >> 20) + 1);
        assert_eq!(too_long.code, CODE_RESOURCE_EXHAUSTED);
        assert!(too_long.message.contains(&MAX_MESSAGE.to_string()) && too_long.message.contains("top_k"), "{}", too_long.message);
        // As long as a message may be, it is read to its end, which says that this was no gRPC.
        assert_eq!(read_mib(MAX_MESSAGE >> 20).code, CODE_UNKNOWN);
    }

    /// The frames of an answer, then its trailers.
    struct Frames(Vec<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let next = if self.0.is_empty() { None } else { Some(Ok(self.0.remove(0))) };
            Poll::Ready(next)
        }
    }

    #[test]
    fn an_answer_in_pieces_is_put_together_and_judged_by_its_trailers() {
        let whole = framed(0, 9, b"in pieces");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for cuts in [vec![], vec![5], vec![2, 7], vec![0, 1, 13]] {
            let ends = cuts.iter().copied().chain([whole.len()]);
            let pieces = std::iter::once(0).chain(cuts.iter().copied()).zip(ends).map(|(from, to)| Frame::data(whole.slice(from..to)));
            let frames = Frames(pieces.chain([Frame::trailers(trailers("0"))]).collect());
            let answer = runtime.block_on(read(http::Response::new(Body::new(frames))));
            assert_eq!((answer.code, answer.body.as_ref()), (0, &b"in pieces"[..]), "cut at {cuts:?}");
        }
    }
}
