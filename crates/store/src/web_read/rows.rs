//! The questions that pages ask and the rows that answer them.

use domain::application::State;
use domain::id::{ApplicationId, PersonId};
use domain::{PartialDate, Sex, UnitCode};
use sqlx::FromRow;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{Error, UnitScope};

/// What a search for people may ask; an empty question finds the first people by name.
#[derive(Clone, Default)]
pub struct PeopleQuery {
    /// Words of the name in capitals without marks, in this order, anywhere in the name.
    pub name_fold: Option<String>,
    pub birth_year: Option<i16>,
    /// One person, as found by PIN.
    pub person_id: Option<PersonId>,
    pub limit: i64,
}

/// One line of a list of people.
#[derive(Clone, FromRow)]
pub struct PersonHit {
    pub person_id: Uuid,
    pub pin: Option<String>,
    pub full_name: String,
    pub sex: i16,
    /// yyyymmdd with zeros for unknown parts.
    pub birth: i32,
    pub permanent_unit: String,
    pub permanent_detail: String,
    pub status: i16,
}

/// A person's current record.
#[derive(Clone, FromRow)]
pub struct PersonPage {
    pub person_id: Uuid,
    pub pin: Option<String>,
    pub old_id: Option<String>,
    pub full_name: String,
    pub sex: i16,
    pub birth: i32,
    pub ethnicity: i16,
    pub religion: i16,
    pub nationality: String,
    pub marital: Option<i16>,
    pub blood: Option<String>,
    pub birth_registration: Option<String>,
    pub native_place: Option<String>,
    pub permanent_unit: String,
    pub permanent_detail: String,
    pub current_unit: Option<String>,
    pub current_detail: Option<String>,
    pub father_name: Option<String>,
    pub father_pin: Option<String>,
    pub mother_name: Option<String>,
    pub mother_pin: Option<String>,
    pub spouse_name: Option<String>,
    pub spouse_pin: Option<String>,
    pub household: Option<String>,
    pub relation_to_head: Option<i16>,
    pub status: i16,
    pub same_as: Option<Uuid>,
    pub unit_path: String,
    pub form_no: String,
    pub version: i32,
    pub recorded_at: OffsetDateTime,
}

impl PersonPage {
    /// The date of birth; an error names the column and the row.
    pub fn birth_date(&self) -> Result<PartialDate, Error> {
        birth_of(self.person_id, self.birth)
    }

    pub fn sex_value(&self) -> Result<Sex, Error> {
        Sex::from_code(self.sex)
            .ok_or_else(|| inconsistent("person", self.person_id, "sex is neither 1 nor 2"))
    }
}

impl PersonHit {
    pub fn birth_date(&self) -> Result<PartialDate, Error> {
        birth_of(self.person_id, self.birth)
    }

    pub fn sex_value(&self) -> Result<Sex, Error> {
        Sex::from_code(self.sex)
            .ok_or_else(|| inconsistent("person", self.person_id, "sex is neither 1 nor 2"))
    }
}

/// One entry of a person's history.
#[derive(Debug, Clone, FromRow)]
pub struct PersonEventRow {
    pub version: i32,
    pub kind: String,
    pub at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub actor: String,
}

/// Which applications a list shows, newest first.
#[derive(Debug, Clone, Default)]
pub struct ApplicationsQuery {
    pub state: Option<State>,
    /// A unit inside the reader's scope.
    pub under: Option<UnitScope>,
    pub ids: Option<Vec<ApplicationId>>,
    /// The last application of the page before.
    pub after: Option<ApplicationId>,
    pub limit: i64,
}

/// One line of a list of applications.
#[derive(Clone, FromRow)]
pub struct ApplicationHit {
    pub application_id: Uuid,
    pub kind: String,
    pub state: String,
    pub state_since: OffsetDateTime,
    pub unit_code: String,
    pub captured_at: OffsetDateTime,
    /// As declared at capture; `None` until the packet was opened.
    pub name: Option<String>,
    pub differs: Option<Vec<String>>,
}

/// What the citizen declared, and in which fields it differs from the register.
#[derive(Clone)]
pub struct DeclaredRecord {
    pub record: serde_json::Value,
    pub differs: Vec<String>,
}

/// The outcome of the search for the person, with its evidence.
#[derive(Clone, FromRow)]
pub struct ResolutionRow {
    pub outcome: String,
    pub person_id: Option<Uuid>,
    pub weight: Option<f32>,
    pub probability: Option<f32>,
    pub evidence: serde_json::Value,
    pub decided_at: OffsetDateTime,
}

/// A card. The certificate's serial and the chip's files stand as they are stored.
#[derive(Clone, FromRow)]
pub struct CardPage {
    pub card_id: Uuid,
    pub number: String,
    pub application_id: Uuid,
    pub person_id: Uuid,
    pub pin: String,
    pub state: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
    pub ds_serial: String,
    pub dg1: Option<Vec<u8>>,
    pub dg13: Option<Vec<u8>>,
    pub sod: Option<Vec<u8>>,
    pub qr: Option<String>,
    pub face: Option<serde_json::Value>,
    pub unit_code: String,
    pub unit_path: String,
    pub intended_at: OffsetDateTime,
    pub signed_at: Option<OffsetDateTime>,
}

/// One line of a list of cards.
#[derive(Debug, Clone, FromRow)]
pub struct CardHit {
    pub card_id: Uuid,
    pub number: String,
    pub state: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
}

/// Which cases a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseStage {
    /// Nobody has decided.
    Open,
    /// One adjudicator has decided; a second must confirm.
    Unconfirmed,
    Closed,
}

/// A case as the adjudicator sees it.
#[derive(Clone, FromRow)]
pub struct CasePage {
    pub case_id: Uuid,
    pub kind: String,
    pub application_id: Option<Uuid>,
    pub other_application_id: Option<Uuid>,
    pub person_id: Option<Uuid>,
    pub other_person_id: Option<Uuid>,
    pub evidence: serde_json::Value,
    pub unit_path: String,
    pub opened_at: OffsetDateTime,
    pub due_at: OffsetDateTime,
    pub decision: Option<String>,
    /// With `link`: whom to.
    pub decided_person_id: Option<Uuid>,
    pub decided_by: Option<String>,
    pub confirmed_by: Option<String>,
}

/// One thing that somebody did about a case.
#[derive(Clone, FromRow)]
pub struct CaseActionRow {
    /// `propose`, `confirm` or `reopen`.
    pub action: String,
    pub at: OffsetDateTime,
    pub actor: String,
    pub decision: String,
    pub note: Option<String>,
}

/// One invited person of a day.
#[derive(Debug, Clone, FromRow)]
pub struct InvitedSeat {
    pub slot_id: Uuid,
    pub site: String,
    pub shift: i16,
    pub starts_at: OffsetDateTime,
    pub minutes: i16,
    pub capacity: i16,
    pub seat: i16,
    pub person_id: Uuid,
    pub state: String,
}

/// An imported file and its counts.
#[derive(Debug, Clone, FromRow)]
pub struct ImportFileRow {
    pub import_id: Uuid,
    pub name: String,
    pub format: String,
    pub bytes_total: i64,
    pub bytes_done: i64,
    pub rows_read: i64,
    pub rows_accepted: i64,
    pub rows_repeated: i64,
    pub rows_rejected: i64,
    /// Of the refused forms, those that no later file has replaced.
    pub rows_to_correct: i64,
    pub started_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
}

/// A form that the importer refused.
#[derive(Clone, FromRow)]
pub struct ImportRejectRow {
    pub row_no: i64,
    pub form_no: Option<String>,
    pub errors: serde_json::Value,
    pub raw: serde_json::Value,
}

/// What somebody who holds a receipt code may know.
#[derive(Debug, Clone)]
pub struct Followed {
    pub state: State,
    pub state_since: OffsetDateTime,
    pub captured_at: OffsetDateTime,
    pub unit: UnitCode,
}

fn birth_of(person: Uuid, packed: i32) -> Result<PartialDate, Error> {
    PartialDate::from_packed(packed).map_err(|_| inconsistent("person", person, "birth is not a date"))
}

pub(super) fn inconsistent(table: &'static str, row: Uuid, reason: &str) -> Error {
    Error::Inconsistent { table, row: row.to_string(), reason: reason.to_owned() }
}
