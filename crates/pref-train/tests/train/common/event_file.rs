//! Reads TensorBoard's event files without the code that writes them. In: bytes. Out: curves. Every checksum is checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The points of each curve: wall time, step and value.
pub(crate) type Curves = BTreeMap<String, Vec<(f64, u64, f32)>>;

/// The event files in a folder.
pub(crate) fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().contains("tfevents"));
    files.sort();
    files
}

/// The curves in the last event file of a folder. There may be one file before it, which is empty.
#[track_caller]
pub(crate) fn curves_in(folder: &Path) -> Curves {
    let files = event_files(folder);
    let (last, before) = files.split_last().unwrap();
    assert!(before.len() < 2, "{files:?}");
    for file in before {
        assert_eq!(fs::metadata(file).unwrap().len(), 0, "{}", file.display());
    }
    curves(&fs::read(last).unwrap())
}

/// The curves in an event file. The first event has to be the version, and the second one the start of a process.
#[track_caller]
pub(crate) fn curves(mut bytes: &[u8]) -> Curves {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let length = take(&mut bytes, 8).to_vec();
        assert_eq!(take(&mut bytes, 4), masked_crc(&length));
        let length = u64::from_le_bytes(length.try_into().unwrap());
        let content = take(&mut bytes, length as usize);
        assert_eq!(take(&mut bytes, 4), masked_crc(content));
        events.push(fields(content));
    }
    assert_eq!(events[0][1], (3, Field::Bytes(b"brain.Event:2".to_vec())));
    assert_eq!(events[1][1], (7, Field::Bytes(vec![8, 1])));
    let mut curves = Curves::new();
    for event in &events[2..] {
        let Field::Eight(wall_time) = event[0].1 else {
            panic!("{event:?}");
        };
        let step = event.iter().find_map(|(number, field)| match field {
            Field::Varint(step) if *number == 2 => Some(*step),
            _ => None,
        });
        let Some((5, Field::Bytes(summary))) = event.last() else {
            panic!("{event:?}");
        };
        for (number, value) in fields(summary) {
            let Field::Bytes(value) = value else {
                panic!("field {number} of a summary: {value:?}");
            };
            let value = fields(&value);
            let [(1, Field::Bytes(tag)), (2, Field::Four(value))] = &value[..] else {
                panic!("{value:?}");
            };
            let point = (
                f64::from_le_bytes(wall_time),
                step.unwrap_or(0),
                f32::from_le_bytes(*value),
            );
            let tag = String::from_utf8(tag.clone()).unwrap();
            curves.entry(tag).or_default().push(point);
        }
    }
    curves
}

/// A field of a message, as its wire type says.
#[derive(Debug, PartialEq)]
enum Field {
    Varint(u64),
    Eight([u8; 8]),
    Bytes(Vec<u8>),
    Four([u8; 4]),
}

/// The fields of a message with their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Eight(take(&mut bytes, 8).try_into().unwrap()),
            2 => {
                let length = varint(&mut bytes);
                Field::Bytes(take(&mut bytes, length as usize).to_vec())
            }
            5 => Field::Four(take(&mut bytes, 4).try_into().unwrap()),
            wire => panic!("wire type {wire}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(n);
    *bytes = rest;
    taken
}

/// CRC-32C bit by bit, masked as in TFRecord files.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
