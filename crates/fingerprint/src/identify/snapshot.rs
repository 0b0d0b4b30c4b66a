//! A gallery as bytes, for a quick restart.
//!
//! Only what cannot be computed again is written: identifiers and minutiae. Reading it files everyone again,
//! on all cores, which takes a fraction of decrypting and preparing templates; and an index of another
//! version of this crate cannot be read by mistake. A checksum tells a damaged file. The bytes are biometric
//! data: whoever writes them to a disk encrypts them.

use std::io::{Read, Write};

use rayon::prelude::*;

use super::quadruples::Features;
use super::{Gallery, GalleryParams};
use crate::compact::{CompactPerson, MINUTIA_BYTES};
use crate::params::{MAX_PEOPLE, MAX_PREPARED};
use crate::{Error, SnapshotError};

const MAGIC: &[u8; 8] = b"dancuFG2";
/// People who are made ready together.
const BATCH: usize = 2_000;

impl Gallery {
    /// Writes everyone in the order of their enrolment.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_snapshot(&self, out: &mut impl Write) -> std::io::Result<()> {
        let mut sum = Checksum::default();
        let mut put = |bytes: &[u8]| {
            sum.add(bytes);
            out.write_all(bytes)
        };
        put(MAGIC)?;
        put(&(self.len() as u64).to_le_bytes())?;
        for row in 0..self.len() as u32 {
            let (id, counts, minutiae) = self.store.parts(row);
            put(&id.to_le_bytes())?;
            put(&counts)?;
            put(minutiae)?;
        }
        let sum = sum.0;
        out.write_all(&sum.to_le_bytes())
    }

    /// A gallery from what [`Gallery::write_snapshot`] wrote. It finds whom that gallery found.
    ///
    /// # Errors
    /// Those of the reader; a file that is no snapshot, or a damaged one.
    pub fn read_snapshot(params: GalleryParams, input: &mut impl Read) -> Result<Self, SnapshotError> {
        let mut sum = Checksum::default();
        let mut magic = [0; 8];
        take(input, &mut magic, &mut sum)?;
        if &magic != MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        let mut count = [0; 8];
        take(input, &mut count, &mut sum)?;
        let people = usize::try_from(u64::from_le_bytes(count)).unwrap_or(usize::MAX);
        if people > MAX_PEOPLE {
            return Err(SnapshotError::Gallery(Error::GalleryFull { limit: MAX_PEOPLE }));
        }
        // What the file claims reserves no memory before the file has kept its word.
        let mut gallery = Self::new(params);
        let mut batch = Vec::with_capacity(BATCH);
        for done in 0..people {
            batch.push(read_person(input, &mut sum)?);
            if batch.len() == BATCH || done + 1 == people {
                let features: Vec<Features> =
                    batch.par_iter().map(|(_, person)| Features::of_enrolled(person)).collect();
                for ((id, person), features) in batch.drain(..).zip(features) {
                    gallery.enrol(id, &person, &features)?;
                }
            }
        }
        let wanted = sum.0;
        let mut written = [0; 8];
        input.read_exact(&mut written)?;
        if u64::from_le_bytes(written) != wanted {
            return Err(SnapshotError::Damaged);
        }
        Ok(gallery)
    }
}

fn read_person(input: &mut impl Read, sum: &mut Checksum) -> Result<(u128, CompactPerson), SnapshotError> {
    let (mut id, mut counts) = ([0; 16], [0; 10]);
    take(input, &mut id, sum)?;
    take(input, &mut counts, sum)?;
    if counts.iter().any(|&count| usize::from(count) > MAX_PREPARED) {
        return Err(SnapshotError::Damaged);
    }
    let minutiae: usize = counts.iter().map(|&count| usize::from(count)).sum();
    let mut bytes = vec![0; minutiae * MINUTIA_BYTES];
    take(input, &mut bytes, sum)?;
    let person = CompactPerson::from_parts(counts, bytes).ok_or(SnapshotError::Damaged)?;
    Ok((u128::from_le_bytes(id), person))
}

fn take(input: &mut impl Read, bytes: &mut [u8], sum: &mut Checksum) -> std::io::Result<()> {
    input.read_exact(bytes)?;
    sum.add(bytes);
    Ok(())
}

/// FNV-1a (Fowler, Noll and Vo), which tells accidents, not attacks.
struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
