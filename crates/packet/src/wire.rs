//! The body of an upload: a CBOR sequence (RFC 8742) of byte strings, one per packet.
//!
//! The length before each packet lets the centre tell the packets of a batch apart when one of them is
//! damaged.

use crate::{MAX_PACKET_BYTES, PacketError};

const WHAT: &str = "the batch";
/// One request.
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Packets in one request.
pub const MAX_BATCH_PACKETS: usize = 1_000;
/// Media type of an upload.
pub const BATCH_TYPE: &str = "application/cbor-seq";
/// Media type of a day report, of a status, and of the answer to every message (RFC 9052 §2).
pub const COSE_TYPE: &str = "application/cose; cose-type=\"cose-sign1\"";
/// Where a kit posts batches.
pub const PACKETS_PATH: &str = "/kit/v1/packets";
/// Where a kit posts day reports.
pub const DAY_REPORT_PATH: &str = "/kit/v1/day-report";
/// Where a kit asks what the centre has of its packets.
pub const STATUS_PATH: &str = "/kit/v1/status";

/// Bytes that a packet of this size takes in a batch.
pub const fn encoded_len(packet: usize) -> usize {
    packet + 5
}

/// Writes a batch.
pub fn encode_batch<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let length = u32::try_from(packet.len()).expect("a packet has at most 256 KiB");
        // Major type 2 with a four-byte length (RFC 8949 §3).
        body.push(0x5a);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(packet);
    }
    body
}

/// Splits a batch. Says nothing about the packets themselves.
///
/// # Errors
/// [`PacketError::Batch`] with the byte, [`PacketError::TooLarge`], [`PacketError::TooMany`].
pub fn decode_batch(body: &[u8]) -> Result<Vec<&[u8]>, PacketError> {
    if body.len() > MAX_BATCH_BYTES {
        return Err(PacketError::TooLarge { what: WHAT, bytes: body.len(), limit: MAX_BATCH_BYTES });
    }
    let mut packets = Vec::new();
    let mut offset = 0;
    while offset < body.len() {
        let problem = |problem| PacketError::Batch { offset, problem };
        let Some(([0x5a, a, b, c, d], rest)) = body[offset..].split_first_chunk::<5>() else {
            return Err(problem("is not a byte string with a four-byte length"));
        };
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if length > MAX_PACKET_BYTES {
            return Err(problem("announces a packet above the size limit"));
        }
        packets.push(rest.get(..length).ok_or(problem("was cut off"))?);
        if packets.len() > MAX_BATCH_PACKETS {
            return Err(PacketError::TooMany { what: WHAT, items: packets.len(), limit: MAX_BATCH_PACKETS });
        }
        offset += 5 + length;
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_batch_that_was_cut_off_says_where() {
        let body = encode_batch([b"first".as_slice(), b"second"]);
        assert!(matches!(decode_batch(&body[..body.len() - 1]), Err(PacketError::Batch { offset: 10, .. })));
        assert!(matches!(decode_batch(b"\x5a\xff\xff\xff\xff"), Err(PacketError::Batch { offset: 0, .. })));
        assert!(decode_batch(&encode_batch(vec![b"".as_slice(); MAX_BATCH_PACKETS + 1])).is_err());
        assert!(decode_batch(&[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn batches_round_trip(packets: Vec<Vec<u8>>) {
            let body = encode_batch(packets.iter().map(Vec::as_slice));
            prop_assert_eq!(decode_batch(&body).unwrap(), packets);
        }

        #[test]
        fn random_bytes_never_panic(body: Vec<u8>) {
            let _ = decode_batch(&body);
        }
    }
}
