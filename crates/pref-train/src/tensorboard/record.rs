//! The records of a TFRecord file. In: bytes. Out: the bytes with their length and two checksums, or the records of a
//! file.
//!
//! A record is the length of its content (8 bytes, little-endian), a checksum of these 8 bytes, the content, and a
//! checksum of the content. A checksum is a CRC-32C that is rotated and shifted by a constant, so that it differs from
//! the CRC of data that has CRCs in it.

use crc::{CRC_32_ISCSI, Crc};

/// CRC-32C, which the catalogue of CRCs lists under the name of its use in iSCSI.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bytes of the length and of its checksum.
const HEADER: usize = 12;

/// Bytes of a checksum.
const CHECKSUM: usize = 4;

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let crc = CRC.checksum(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The record with this content.
pub(super) fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(HEADER + content.len() + CHECKSUM);
    record.extend(length);
    record.extend(checksum(&length));
    record.extend(content);
    record.extend(checksum(content));
    record
}

/// The contents of the records of a file, up to the first one that is incomplete or damaged.
pub(super) fn contents(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let (length, sum) = header.split_first_chunk::<8>()?;
        if *sum != checksum(length) {
            return None;
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
        bytes = rest;
        (*sum == checksum(content)).then_some(content)
    })
}
