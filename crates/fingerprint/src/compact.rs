//! Minutiae in four bytes each: what galleries keep of a finger.

use crate::descriptor::{Point, best_points};
use crate::params::MAX_PREPARED;
use crate::{FingerPosition, MinutiaKind, Template};

pub(crate) const MINUTIA_BYTES: usize = 4;
/// Minutiae of ten fingers, for reserving room.
const USUAL_MINUTIAE: usize = 480;
/// Coordinates have ten bits: 1,023 px at 500 dpi is 52 mm, more than any finger.
const COORDINATE_MASK: u64 = 0x3ff;

/// Up to ten fingers, best minutiae first.
#[derive(Clone, Default)]
pub(crate) struct CompactPerson {
    counts: [u8; 10],
    bytes: Vec<u8>,
}

impl CompactPerson {
    pub(crate) fn new(templates: [Option<&Template>; 10]) -> Self {
        let mut person = Self { counts: [0; 10], bytes: Vec::with_capacity(10 * 50 * MINUTIA_BYTES) };
        for (count, template) in person.counts.iter_mut().zip(templates) {
            let Some(template) = template else { continue };
            *count = pack_finger(template, &mut person.bytes);
        }
        person
    }

    /// From the counts and bytes that [`Store::parts`] gave; `None` when they do not belong together.
    pub(crate) fn from_parts(counts: [u8; 10], bytes: Vec<u8>) -> Option<Self> {
        let minutiae: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let fits = counts.iter().all(|&count| usize::from(count) <= MAX_PREPARED);
        (fits && bytes.len() == minutiae * MINUTIA_BYTES).then_some(Self { counts, bytes })
    }

    pub(crate) fn count(&self, position: FingerPosition) -> u8 {
        self.counts[slot(position)]
    }

    /// How many fingers have minutiae.
    pub(crate) fn fingers(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0).count()
    }

    pub(crate) fn points(&self, position: FingerPosition) -> Vec<Point> {
        finger(&self.counts, &self.bytes, position).collect()
    }

    /// As [`CompactPerson::points`], into a buffer that is used again.
    pub(crate) fn points_into(&self, position: FingerPosition, points: &mut Vec<Point>) {
        points.clear();
        points.extend(finger(&self.counts, &self.bytes, position));
    }
}

/// The fingers of everyone, end to end.
pub(crate) struct Store {
    people: Vec<Person>,
    bytes: Vec<u8>,
}

struct Person {
    id: u128,
    start: u64,
    counts: [u8; 10],
}

impl Store {
    pub(crate) fn with_people(people: usize) -> Self {
        let bytes = people * USUAL_MINUTIAE * MINUTIA_BYTES;
        Self { people: Vec::with_capacity(people), bytes: Vec::with_capacity(bytes) }
    }

    pub(crate) fn push(&mut self, id: u128, person: &CompactPerson) -> u32 {
        let row = u32::try_from(self.people.len()).expect("the gallery's limit is far below 2^32");
        self.people.push(Person { id, start: self.bytes.len() as u64, counts: person.counts });
        // Grown by a sixteenth: doubling would leave half of the gallery's largest part but one empty.
        if self.bytes.capacity() - self.bytes.len() < person.bytes.len() {
            self.bytes.reserve_exact(person.bytes.len().max(self.bytes.len() / 16));
        }
        self.bytes.extend_from_slice(&person.bytes);
        row
    }

    pub(crate) fn len(&self) -> usize {
        self.people.len()
    }

    pub(crate) fn id(&self, row: u32) -> u128 {
        self.people[row as usize].id
    }

    pub(crate) fn count(&self, row: u32, position: FingerPosition) -> u8 {
        self.people[row as usize].counts[slot(position)]
    }

    pub(crate) fn points(&self, row: u32, position: FingerPosition) -> Vec<Point> {
        let mut points = Vec::new();
        self.points_into(row, position, &mut points);
        points
    }

    /// As [`Store::points`], into a buffer that is used again.
    pub(crate) fn points_into(&self, row: u32, position: FingerPosition, points: &mut Vec<Point>) {
        let person = &self.people[row as usize];
        points.clear();
        points.extend(finger(&person.counts, &self.bytes[person.start as usize..], position));
    }

    pub(crate) fn person(&self, row: u32) -> CompactPerson {
        let person = &self.people[row as usize];
        let minutiae: usize = person.counts.iter().map(|&count| usize::from(count)).sum();
        let start = person.start as usize;
        let bytes = self.bytes[start..start + minutiae * MINUTIA_BYTES].to_vec();
        CompactPerson { counts: person.counts, bytes }
    }

    /// Identifier, counts and minutiae of a row, as they are stored.
    pub(crate) fn parts(&self, row: u32) -> (u128, [u8; 10], &[u8]) {
        let person = &self.people[row as usize];
        let minutiae: usize = person.counts.iter().map(|&count| usize::from(count)).sum();
        (person.id, person.counts, &self.bytes[person.start as usize..][..minutiae * MINUTIA_BYTES])
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.people.capacity() * size_of::<Person>() + self.bytes.capacity()
    }
}

/// Appends the best minutiae of one finger, best first; returns how many.
pub(crate) fn pack_finger(template: &Template, bytes: &mut Vec<u8>) -> u8 {
    let mut count = 0;
    for point in best_points(template) {
        // Both are whole numbers and not below zero: the topmost and the leftmost minutia have zero.
        let (x, y) = (point.x as u64, -point.y as u64);
        if x.max(y) <= COORDINATE_MASK {
            bytes.extend_from_slice(&pack(x, y, &point));
            count += 1;
        }
    }
    count
}

/// The minutiae of one finger from the bytes that [`pack_finger`] appended.
pub(crate) fn unpack_finger(bytes: &[u8]) -> Vec<Point> {
    bytes.chunks_exact(MINUTIA_BYTES).enumerate().map(|(index, b)| unpack(index, b)).collect()
}

fn slot(position: FingerPosition) -> usize {
    usize::from(position.code()).checked_sub(1).expect("the gallery holds known positions only")
}

fn finger(counts: &[u8; 10], bytes: &[u8], position: FingerPosition) -> impl Iterator<Item = Point> {
    let slot = slot(position);
    let before: usize = counts[..slot].iter().map(|&count| usize::from(count)).sum();
    let start = before * MINUTIA_BYTES;
    let end = start + usize::from(counts[slot]) * MINUTIA_BYTES;
    bytes[start..end].chunks_exact(MINUTIA_BYTES).enumerate().map(|(index, b)| unpack(index, b))
}

fn pack(x: u64, y: u64, point: &Point) -> [u8; MINUTIA_BYTES] {
    let kind = (point.kind as u64) << 28;
    let packed = x | y << 10 | u64::from(point.angle) << 20 | kind | u64::from(point.level) << 30;
    let [a, b, c, d, ..] = packed.to_le_bytes();
    [a, b, c, d]
}

#[inline]
fn unpack(index: usize, bytes: &[u8]) -> Point {
    let packed = u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let kind = match packed >> 28 & 3 {
        1 => MinutiaKind::Ending,
        2 => MinutiaKind::Bifurcation,
        _ => MinutiaKind::Other,
    };
    Point {
        x: (packed & COORDINATE_MASK) as f32,
        y: -((packed >> 10 & COORDINATE_MASK) as f32),
        angle: (packed >> 20) as u8,
        kind,
        level: (packed >> 30) as u8,
        source: index as u8,
    }
}
