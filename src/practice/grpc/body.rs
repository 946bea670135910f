//! gRPC's framing of one message each way, as bodies of HTTP/2.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use prost::Message;
use tonic::{Code, Status};

/// A flag byte and four bytes of length stand before each message.
const PREFIX: usize = 5;

/// Milvus's limit of a message is 64 MB; beyond it nothing is read.
const LONGEST: usize = 64 * 1024 * 1024;

/// Encodes a message with its prefix.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.extend_from_slice(&[0]);
    frame.extend_from_slice(&(length as u32).to_be_bytes());
    message.encode(&mut frame).expect("the buffer has room for the whole message");
    frame.freeze()
}

/// Reads the one message of a request.
pub(crate) async fn message<B>(mut body: B) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = Bytes::new();
    let mut grown: Option<BytesMut> = None;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(frame) = frame else { return Err(Status::cancelled("the request broke off")) };
        let Ok(data) = frame.into_data() else { continue };
        // Most requests come in one piece, which is kept as it is.
        match &mut grown {
            None if whole.is_empty() => whole = data,
            None => {
                let mut both = BytesMut::with_capacity((whole.len() + data.len()) * 2);
                both.extend_from_slice(&whole);
                both.extend_from_slice(&data);
                grown = Some(both);
            }
            Some(grown) => grown.extend_from_slice(&data),
        }
        if grown.as_ref().map_or(whole.len(), BytesMut::len) > LONGEST + PREFIX {
            return Err(Status::resource_exhausted(format!("a message is longer than {LONGEST} bytes")));
        }
    }
    let whole = grown.map_or(whole, BytesMut::freeze);
    let Some((prefix, _)) = whole.split_first_chunk::<PREFIX>() else {
        return Err(Status::internal("the request holds no message"));
    };
    let [flag, length @ ..] = *prefix;
    if flag != 0 {
        return Err(Status::unimplemented("the practice target takes no compressed messages"));
    }
    if u32::from_be_bytes(length) as usize != whole.len() - PREFIX {
        return Err(Status::internal("the request holds other than one whole message"));
    }
    Ok(whole.slice(PREFIX..))
}

/// Waits for the end of a request without looking at it.
pub(crate) async fn drained<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    while !body.is_end_stream() {
        if !matches!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await, Some(Ok(_))) {
            return;
        }
    }
}

/// The body of an answer: one framed message and the trailers that say OK, or nothing where headers have said it all.
#[derive(Debug)]
pub(crate) struct Answer {
    message: Option<Bytes>,
    trailers: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if std::mem::take(&mut self.trailers) {
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && !self.trailers
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.message.as_ref().map_or(0, Bytes::len) as u64)
    }
}

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The answer that carries a framed message.
pub(crate) fn answered(message: Bytes) -> http::Response<Answer> {
    let mut response = http::Response::new(Answer { message: Some(message), trailers: true });
    response.headers_mut().insert(http::header::CONTENT_TYPE, GRPC);
    response
}

/// The answer that only carries a status: gRPC's own errors.
pub(crate) fn refused(status: &Status) -> http::Response<Answer> {
    debug_assert_ne!(status.code(), Code::Ok, "success comes with a message");
    let mut response = http::Response::new(Answer { message: None, trailers: false });
    response.headers_mut().insert(http::header::CONTENT_TYPE, GRPC);
    if status.add_header(response.headers_mut()).is_err() {
        response.headers_mut().insert("grpc-status", HeaderValue::from_static("13"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::common::Status as MilvusStatus;
    use std::collections::VecDeque;

    /// A body in pieces.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Bytes, Status> {
        let pieces = Pieces(bytes.chunks(piece).map(Bytes::copy_from_slice).collect());
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(message(pieces))
    }

    #[test]
    fn a_message_is_read_in_whatever_pieces_it_comes() {
        let sent = MilvusStatus { reason: "x".repeat(300), code: 7, ..Default::default() };
        let frame = framed(&sent);
        for piece in [1, 2, 5, 6, 100, 1_000] {
            assert_eq!(MilvusStatus::decode(read(&frame, piece).unwrap()).unwrap(), sent, "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, code) in [
            (&[][..], Code::Internal),
            (&[0, 0, 0], Code::Internal),
            (&[0, 0, 0, 0, 2, 1], Code::Internal),
            (&[0, 0, 0, 0, 0, 1], Code::Internal),
            (&[1, 0, 0, 0, 0], Code::Unimplemented),
        ] {
            assert_eq!(read(bytes, 100).unwrap_err().code(), code, "{bytes:?}");
        }
    }
}
