//! Which fields of a record a card shows or stores: while one of them is being corrected, no card is made.

use time::Date;

use super::list::List;
use super::read::Cells;
use super::rows::{Coverage, Says};
use super::{NoRule, Profile};
use crate::field::Field;

/// Where on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    /// On its faces, in the machine-readable zone or in the QR code.
    Printed,
    /// In the chip alone.
    Chip,
    Both,
}

impl Place {
    const ALL: [Place; 3] = [Place::Printed, Place::Chip, Place::Both];

    const fn code(self) -> &'static str {
        match self {
            Place::Printed => "printed",
            Place::Chip => "chip",
            Place::Both => "both",
        }
    }

    fn from_code(code: &str) -> Option<Place> {
        Place::ALL.into_iter().find(|place| place.code() == code)
    }
}

impl Profile {
    /// The fields that a card of this day shows or stores.
    ///
    /// # Errors
    /// When the list has no row for that day.
    pub fn card_fields(&self, day: Date) -> Result<Vec<Field>, NoRule> {
        let rows = self.card_fields.iter().filter(|row| row.basis.holds_on(day));
        let fields: Vec<Field> = rows.map(|row| row.says.field).collect();
        let none = || NoRule { list: List::CardFields, subject: "a card".to_owned(), day };
        if fields.is_empty() { Err(none()) } else { Ok(fields) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OnCard {
    field: Field,
    place: Place,
}

impl Says for OnCard {
    const LIST: List = List::CardFields;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let field = cells.code("field", Field::from_code, &Field::ALL.map(Field::code).join(", "));
        let place = cells.code("place", Place::from_code, &Place::ALL.map(Place::code).join(", "));
        Some(OnCard { field: field?, place: place? })
    }

    fn subject(&self) -> String {
        self.field.code().to_owned()
    }

    fn value(&self) -> String {
        self.place.code().to_owned()
    }

    fn coverage() -> Coverage {
        // A field that no row names is on no card.
        Coverage::Free
    }
}
