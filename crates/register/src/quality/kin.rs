//! Whoever is stated as somebody's relative by a number, as the register has them.

use std::collections::HashMap;

use store::register::quality::Examined;

/// People by their personal numbers.
#[derive(Debug, Default)]
pub struct Kin(HashMap<String, Examined>);

impl Kin {
    /// These people, whichever unit they are registered in.
    pub fn of(people: impl IntoIterator<Item = Examined>) -> Kin {
        let by_number = |person: Examined| Some((person.record.pin?.as_str().to_owned(), person));
        Kin(people.into_iter().filter_map(by_number).collect())
    }

    /// Who has this number.
    pub fn get(&self, pin: &str) -> Option<&Examined> {
        self.0.get(pin)
    }
}
