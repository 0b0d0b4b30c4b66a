//! The numbers of the model: what share of people has what. Sureness marks as in the data README.

use time::Date;
use time::macros::date;

use crate::error::SimulateError;

/// Shares and dates that a population is made with. All shares are between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The day of the count: ages are as of this day, and nobody is born later.
    pub as_of: Date,
    /// Share of deliveries that are twins. [L], near the 1.1 % of Asian birth statistics.
    pub twin_rate: f64,
    /// Share of people from 14 whose PIN is already issued and on the form. 98.5 M had been issued nationally
    /// by 1 July 2021 [M]; that 15 % of forms still lack it is ours [L].
    pub adult_pin_share: f64,
    /// The same below 14; from 2016 births were registered with a number [L].
    pub child_pin_share: f64,
    /// Share of people from 16 with a nine-digit card (fewer below 20) [L].
    pub old_id_share: f64,
    /// Share of holders of a nine-digit card who hold a second number [L].
    pub second_old_id_share: f64,
    /// Share of holders whose nine-digit number is also another person's [M]: one province found 7,232.
    pub shared_old_id_share: f64,
    /// From this age on, birth dates may be known in part only.
    pub partial_birth_from_age: i32,
    /// Share of those with only the year.
    pub year_only_share: f64,
    /// Share of those with month and year.
    pub month_only_share: f64,
    /// Share of adults whose birth was registered in any other commune of the country; doubled in wards [L].
    pub moved_in_share: f64,
    /// Share of people of 18 to 45 who live elsewhere than where they are registered [L].
    pub lives_elsewhere_share: f64,
    /// Share of people whose blood type is on the form [L].
    pub blood_share: f64,
    /// Share of people who are made a look-alike of a stranger: same name, sex and nearly the same birth date
    /// [L]. Common names make many more by themselves.
    pub look_alike_share: f64,
    /// Largest distance of two look-alikes' birth dates, in days.
    pub look_alike_days: i32,
    /// Deaths are drawn for this many days after `as_of`, so that the dead leave the campaign's denominator.
    pub death_horizon_days: i32,
}

impl Default for Model {
    fn default() -> Self {
        Model {
            as_of: date!(2021 - 02 - 01),
            twin_rate: 0.011,
            adult_pin_share: 0.85,
            child_pin_share: 0.95,
            old_id_share: 0.90,
            second_old_id_share: 0.03,
            shared_old_id_share: 0.0005,
            partial_birth_from_age: 55,
            year_only_share: 0.04,
            month_only_share: 0.01,
            moved_in_share: 0.06,
            lives_elsewhere_share: 0.07,
            blood_share: 0.03,
            look_alike_share: 0.002,
            look_alike_days: 10,
            death_horizon_days: 180,
        }
    }
}

impl Model {
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        let shares = [
            ("twin_rate", self.twin_rate),
            ("adult_pin_share", self.adult_pin_share),
            ("child_pin_share", self.child_pin_share),
            ("old_id_share", self.old_id_share),
            ("second_old_id_share", self.second_old_id_share),
            ("shared_old_id_share", self.shared_old_id_share),
            ("year_only_share + month_only_share", self.year_only_share + self.month_only_share),
            ("year_only_share", self.year_only_share),
            ("month_only_share", self.month_only_share),
            ("moved_in_share", self.moved_in_share),
            ("lives_elsewhere_share", self.lives_elsewhere_share),
            ("blood_share", self.blood_share),
            ("look_alike_share", self.look_alike_share),
        ];
        match shares.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((name, value)) => Err(SimulateError::Share { name, value }),
            None => Ok(()),
        }
    }
}
