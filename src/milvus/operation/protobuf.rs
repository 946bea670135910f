//! The few pieces of protobuf and gRPC framing that are written and read by hand, because they stand in the path of every
//! request: field heads, variable-length numbers, a walk over an answer's top-level fields.
//!
//! Source: the encoding's own description, protobuf.dev/programming-guides/encoding; the framing is that of gRPC over HTTP/2.

use bytes::{BufMut, BytesMut};

pub(crate) use super::super::call::PREFIX;

/// How a field's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Varint = 0,
    Bytes = 2,
}

/// Begins a gRPC message in `out` and says where it began.
pub(crate) fn begin_message(out: &mut BytesMut) -> usize {
    let start = out.len();
    out.put_bytes(0, PREFIX);
    start
}

/// Ends the message that began at `start`: writes how long it came to be. Called again after more was appended.
pub(crate) fn end_message(out: &mut [u8], start: usize) {
    let length = (out.len() - start - PREFIX) as u32;
    out[start + 1..start + PREFIX].copy_from_slice(&length.to_be_bytes());
}

/// Bytes that a number takes, 1 to 10.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    // ⌈bits / 7⌉ with at least one bit: 9/64 is near enough to 1/7 for all of 1 to 64.
    ((64 - (value | 1).leading_zeros() as usize) * 9 + 64) / 64
}

/// Writes a number, seven bits a byte, the lowest first.
#[inline]
pub(crate) fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Bytes that a field's head takes.
pub(crate) const fn head_len(field: u32) -> usize {
    varint_len((field as u64) << 3)
}

/// Writes a field's head.
pub(crate) fn put_head(out: &mut BytesMut, field: u32, wire: Wire) {
    put_varint(out, u64::from(field << 3) | wire as u64);
}

/// Bytes of a field with `length` bytes in it.
pub(crate) const fn field_len(field: u32, length: usize) -> usize {
    head_len(field) + varint_len(length as u64) + length
}

/// Writes head and length of a field whose `length` bytes follow.
pub(crate) fn put_bytes_head(out: &mut BytesMut, field: u32, length: usize) {
    put_head(out, field, Wire::Bytes);
    put_varint(out, length as u64);
}

/// Writes a field of bytes; nothing where there are none, as proto3 does.
pub(crate) fn put_bytes(out: &mut BytesMut, field: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_bytes_head(out, field, bytes.len());
        out.put_slice(bytes);
    }
}

/// Writes a field with a number; nothing where it is 0, as proto3 does.
pub(crate) fn put_number(out: &mut BytesMut, field: u32, value: u64) {
    if value != 0 {
        put_head(out, field, Wire::Varint);
        put_varint(out, value);
    }
}

/// Writes numbers as little-endian 32-bit floats, one after the other.
#[inline]
pub(crate) fn write_floats(out: &mut [u8], values: &[f32]) {
    for (bytes, value) in out.chunks_exact_mut(4).zip(values) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

/// What a field holds, as far as it can be known without the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A number, a truth value or an enum.
    Varint(u64),
    /// A text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Four or eight bytes; nothing that is read here.
    Fixed,
}

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A walk over a message's top-level fields, in the order they were written. What lies inside a field is skipped, not read:
/// a search's answer costs some ten steps whatever its length.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) const fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length)).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let head = self.varint()?;
        let number = u32::try_from(head >> 3).map_err(|_| Malformed)?;
        let value = match head & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed),
        };
        Ok((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::encoding::{encode_varint, encoded_len_varint};

    proptest! {
        #[test]
        fn numbers_are_written_and_measured_as_another_implementation_does(shift in 0_u32..64, bits in any::<u64>()) {
            for value in [bits >> shift, (1 << shift) - 1, 1 << shift, u64::MAX] {
                let (mut ours, mut theirs) = (BytesMut::new(), BytesMut::new());
                put_varint(&mut ours, value);
                encode_varint(value, &mut theirs);
                prop_assert_eq!(&ours, &theirs);
                prop_assert_eq!(varint_len(value), encoded_len_varint(value));
                prop_assert_eq!(Fields(&ours).varint(), Ok(value));
            }
        }

        #[test]
        fn no_bytes_make_the_walk_panic_or_go_on_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn a_walk_meets_every_top_level_field_once() {
        let mut out = BytesMut::new();
        put_number(&mut out, 1, 300);
        put_bytes(&mut out, 2, b"inner");
        out.put_slice(&[3 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0, 4 << 3 | 5, 0, 0, 0, 0]);
        put_number(&mut out, 100, 1);
        let fields: Vec<_> = Fields::of(&out).map(Result::unwrap).collect();
        assert_eq!(
            fields,
            [(1, Value::Varint(300)), (2, Value::Bytes(b"inner")), (3, Value::Fixed), (4, Value::Fixed), (100, Value::Varint(1))]
        );
    }

    #[test]
    fn what_is_cut_short_is_malformed() {
        for bytes in [&[0x08][..], &[0x08, 0x80], &[0x12, 5, 1], &[0x0D, 0, 0], &[0x0B], &[0xFF; 11]] {
            assert_eq!(Fields::of(bytes).last(), Some(Err(Malformed)), "{bytes:?}");
        }
    }

    #[test]
    fn a_message_says_how_long_it_is() {
        let mut out = BytesMut::from(&b"before"[..]);
        let start = begin_message(&mut out);
        put_bytes(&mut out, 1, b"abc");
        end_message(&mut out, start);
        assert_eq!(&out[..], b"before\0\0\0\0\x05\x0a\x03abc");
        put_number(&mut out, 2, 1);
        end_message(&mut out, start);
        assert_eq!(out[start..start + PREFIX], [0, 0, 0, 0, 7]);
    }
}
