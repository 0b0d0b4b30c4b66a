//! Who is searched for, made ready once.

use std::fmt;

use super::quadruples::Features;
use super::quick::Canvas;
use crate::compact::CompactPerson;
use crate::descriptor::{Point, Prepared};
use crate::{FingerPosition, Template, quality};

/// One person's fingers made ready for [`super::Gallery::search_probe`] and [`super::Gallery::insert_probe`],
/// which share most of the work. Making it needs no gallery, so threads can make many while one searches.
pub struct Probe {
    pub(super) person: CompactPerson,
    pub(super) features: Features,
}

impl Probe {
    /// Templates of unknown position are left out; of two of one position the better one is kept.
    pub fn new(templates: &[Template]) -> Self {
        let person = CompactPerson::new(best_per_position(templates));
        let features = Features::of_probe(&person);
        Self { person, features }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({} fingers, redacted)", self.person.fingers())
    }
}

pub(super) fn best_per_position(templates: &[Template]) -> [Option<&Template>; 10] {
    let mut best: [Option<&Template>; 10] = [None; 10];
    for template in templates.iter().filter(|t| t.position() != FingerPosition::Unknown) {
        let slot = &mut best[usize::from(template.position().code()) - 1];
        if slot.is_none_or(|held| quality(template) > quality(held)) {
            *slot = Some(template);
        }
    }
    best
}

/// The probe's fingers, prepared when first needed: most searches need few.
pub(super) struct ProbeFingers<'a> {
    pub(super) person: &'a CompactPerson,
    /// A buffer for the finger that is looked at.
    pub(super) enrolled: Vec<Point>,
    canvases: [Option<Canvas>; 10],
    prepared: [Option<Prepared>; 10],
}

impl<'a> ProbeFingers<'a> {
    pub(super) fn new(person: &'a CompactPerson) -> Self {
        Self { person, enrolled: Vec::new(), canvases: [const { None }; 10], prepared: [const { None }; 10] }
    }

    /// How well the enrolled finger in the buffer fits on the probe's.
    pub(super) fn look(&mut self, position: FingerPosition) -> u32 {
        let person = self.person;
        let canvas = self.canvases[usize::from(position.code()) - 1]
            .get_or_insert_with(|| Canvas::new(person.points(position)));
        canvas.look(&mut self.enrolled)
    }

    pub(super) fn prepared(&mut self, position: FingerPosition) -> &Prepared {
        let person = self.person;
        self.prepared[usize::from(position.code()) - 1]
            .get_or_insert_with(|| Prepared::from_points(position, person.points(position)))
    }
}
