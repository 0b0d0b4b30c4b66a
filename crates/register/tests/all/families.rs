//! Families without a fault: a father, a mother and a child of ten, with their papers in order.

use sqlx::PgPool;
use time::macros::{date, datetime};
use uuid::Uuid;

use domain::id::PersonId;
use domain::person::Status;
use domain::pin::Sex;
use domain::record::Relative;
use domain::{OldId, PartialDate, PersonName, Pin, ResidentRecord};
use register::quality::Examined;

pub const PATH: &str = "42/445/18562/";
pub const TODAY: time::Date = date!(2021 - 06 - 01);

pub struct Family {
    pub father: Examined,
    pub mother: Examined,
    pub child: Examined,
    number: u32,
}

pub fn day(text: &str) -> PartialDate {
    PartialDate::parse(text).unwrap()
}

pub fn name(text: &str) -> PersonName {
    PersonName::parse(text).unwrap()
}

pub fn old_id(number: u32) -> OldId {
    OldId::parse(&format!("{number:09}")).unwrap()
}

/// A name that no other number has.
fn named(kind: &str, number: u32) -> PersonName {
    const SYLLABLES: [&str; 20] = [
        "An", "Bình", "Chi", "Dũng", "Giang", "Hà", "Khánh", "Lan", "Minh", "Nga", "Oanh", "Phúc", "Quý",
        "Sơn", "Tâm", "Uyên", "Vinh", "Xuân", "Yến", "Đức",
    ];
    let at = |step: u32| SYLLABLES[(number / step % 20) as usize];
    name(&format!("Nguyễn {kind} {} {} {}", at(1), at(20), at(400)))
}

impl Family {
    pub fn new(number: u32) -> Family {
        let person = |at: u32, sex, birth: &str, kind| {
            let pin = Pin::compose(42, sex, day(birth).earliest().year() as i16, number * 3 + at).unwrap();
            let record = ResidentRecord {
                name: named(kind, number),
                sex,
                birth: day(birth),
                pin: Some(pin),
                old_id: (at < 2).then(|| old_id(180_000_000 + number * 2 + at)),
                marital: (at < 2).then_some(2),
                birth_registration: Some("18562".parse().unwrap()),
                native_place: Some("18562".parse().unwrap()),
                father: Some(Relative { name: name("Nguyễn Văn Ông"), pin: None }),
                mother: Some(Relative { name: name("Trần Thị Bà"), pin: None }),
                household: Some(format!("HK{number:06}")),
                relation_to_head: Some(at as u8 + 1),
                ..testkit::resident()
            };
            let id = PersonId::from_uuid(Uuid::from_u128(u128::from(number * 3 + at + 1)));
            Examined { id, record, status: Status::Alive, late_days: None }
        };
        let mut family = Family {
            father: person(0, Sex::Male, "15/05/1980", "Văn"),
            mother: person(1, Sex::Female, "16/06/1982", "Thị"),
            child: person(2, Sex::Female, "17/07/2010", "Ngọc"),
            number,
        };
        family.link();
        family
    }

    /// States who is whose, as their records are now.
    pub fn link(&mut self) {
        let stated = |of: &Examined| Some(Relative { name: of.record.name.clone(), pin: of.record.pin });
        self.father.record.spouse = stated(&self.mother);
        self.mother.record.spouse = stated(&self.father);
        self.child.record.father = stated(&self.father);
        self.child.record.mother = stated(&self.mother);
    }

    /// A number that nobody has, for a sex and a year.
    pub fn pin(&self, sex: Sex, year: i16) -> Pin {
        Pin::compose(42, sex, year, 900_000 + self.number).unwrap()
    }

    /// The father, or mother, with another birth and the number that belongs to it.
    pub fn parent_born(&mut self, is_father: bool, birth: &str) {
        let sex = if is_father { Sex::Male } else { Sex::Female };
        let pin = self.pin(sex, day(birth).earliest().year() as i16);
        let parent = if is_father { &mut self.father } else { &mut self.mother };
        (parent.record.birth, parent.record.pin) = (day(birth), Some(pin));
        self.link();
    }

    pub fn members(&self) -> [&Examined; 3] {
        [&self.father, &self.mother, &self.child]
    }
}

/// Writes a person as an administrator would, whatever the rules of the register say.
pub async fn insert(db: &PgPool, person: &Examined) {
    let record = &person.record;
    let unit = |code: Option<domain::UnitCode>| code.map(|code| code.to_string());
    let relative = |one: &Option<Relative>| {
        let name = one.as_ref().map(|one| one.name.as_str().to_owned());
        (name, one.as_ref().and_then(|one| one.pin).map(|pin| pin.as_str().to_owned()))
    };
    let [father, mother, spouse] = [&record.father, &record.mother, &record.spouse].map(relative);
    let late = person.late_days.is_some();
    sqlx::query(
        "INSERT INTO person (person_id, pin, old_id, full_name, name_fold, sex, birth, ethnicity, religion, \
             nationality, marital, blood, birth_registration, native_place, permanent_unit, \
             permanent_detail, current_unit, current_detail, father_name, father_pin, mother_name, \
             mother_pin, spouse_name, spouse_pin, household, relation_to_head, status, unit_path, form_no, \
             form_hash, import_id, version, recorded_at) \
         VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
             $20, $21, $22, $23, $24, $25, $26, $27, $1::text, '', $1, $28, $29)",
    )
    .bind(person.id.uuid())
    .bind(record.pin.map(|pin| pin.as_str().to_owned()))
    .bind(record.old_id.as_ref().map(|id| id.as_str().to_owned()))
    .bind(record.name.as_str())
    .bind(record.sex.code())
    .bind(record.birth.packed())
    .bind(i16::from(record.ethnicity))
    .bind(i16::from(record.religion))
    .bind(&record.nationality)
    .bind(record.marital.map(i16::from))
    .bind(&record.blood)
    .bind(unit(record.birth_registration))
    .bind(unit(record.native_place))
    .bind(record.permanent.unit.to_string())
    .bind(&record.permanent.detail)
    .bind(record.current.as_ref().map(|place| place.unit.to_string()))
    .bind(record.current.as_ref().map(|place| place.detail.clone()))
    .bind(father.0)
    .bind(father.1)
    .bind(mother.0)
    .bind(mother.1)
    .bind(spouse.0)
    .bind(spouse.1)
    .bind(&record.household)
    .bind(record.relation_to_head.map(i16::from))
    .bind(person.status.code())
    .bind(PATH)
    .bind(if late { 2 } else { 1 })
    .bind(datetime!(2021-02-01 01:00 UTC))
    .execute(db)
    .await
    .unwrap();
    if let Some(pin) = record.pin {
        sqlx::query(
            "INSERT INTO pin (pin, person_id, source, assigned_at) VALUES ($1, $2, 'form', $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(pin.as_str())
        .bind(person.id.uuid())
        .bind(datetime!(2021-02-01 01:00 UTC))
        .execute(db)
        .await
        .unwrap();
    }
    if let Some(days) = person.late_days {
        let recorded = datetime!(2021-05-20 01:00 UTC);
        sqlx::query(
            "INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, unit_path) \
             VALUES ($1, 2, 'corrected', $2, $3, 'centre', $4)",
        )
        .bind(person.id.uuid())
        .bind(recorded - time::Duration::days(days.into()))
        .bind(recorded)
        .bind(PATH)
        .execute(db)
        .await
        .unwrap();
    }
}
