//! A paper as the register has it, or is to have it.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::paper::Paper;
use crate::scan::Media;
use domain::Actor;
use domain::id::{DocumentId, PersonId};
use store::PgConnection;
use store::register::papers::{self, PaperRow, ScanMark};
use store::register::people::records_of;

/// A paper, and whether it may stand behind something of a person.
pub(crate) struct Stored {
    pub id: DocumentId,
    paper: Paper,
    mark: Option<ScanMark>,
    /// It was entered before.
    pub is_there: bool,
    /// Its number stands for another paper.
    pub is_taken: bool,
}

impl Stored {
    /// Looks whether the paper was entered before, and for whom.
    pub async fn of(
        tx: &mut PgConnection,
        paper: Paper,
        scan: Option<(&[u8], Media)>,
        person: Option<PersonId>,
    ) -> Result<Stored, store::Error> {
        let id = paper.id();
        let mark = scan.map(|(bytes, media)| ScanMark {
            sha256: Sha256::digest(bytes).into(),
            bytes: i32::try_from(bytes.len()).expect("a scan has four mebibytes at most"),
            media: media.mime().to_owned(),
        });
        let found = papers::of_number(tx, paper.kind.code(), &paper.number, &paper.authority).await?;
        let same = found.iter().find(|row| row.issued_on == paper.issued_on);
        let is_taken = match same {
            // A scan that was not there the first time would be another content of the same paper.
            Some(row) if mark.is_some() && row.scan != mark => true,
            Some(_) => match person {
                Some(person) if paper.kind.is_of_one_person() => {
                    let records = records_of(tx, person).await?;
                    papers::is_of_others(tx, id, &records).await?
                }
                Some(_) | None => false,
            },
            // Offices number their papers anew each year.
            None => found.iter().any(|row| row.issued_on.year() == paper.issued_on.year()),
        };
        Ok(Stored { id, paper, mark, is_there: same.is_some(), is_taken })
    }

    /// The row to be written where there is none.
    pub fn row(&self, actor: &Actor, now: OffsetDateTime, unit_path: &str) -> PaperRow {
        PaperRow {
            document_id: self.id,
            kind: self.paper.kind.code().to_owned(),
            number: self.paper.number.clone(),
            authority: self.paper.authority.clone(),
            issued_on: self.paper.issued_on,
            scan: self.mark.clone(),
            entered_by: actor.to_string(),
            entered_at: now,
            unit_path: unit_path.to_owned(),
        }
    }
}
