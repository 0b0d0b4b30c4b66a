//! A printer's results: the file that comes back with a batch, read, compared with the batch, and recorded.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::Error;
use crate::outcome::{CameOut, record_outcomes};
use ::chip::ChipSerial;
use domain::Actor;
use domain::blank::{BlankState, SpoilReason};
use store::cards::batches::{self, ItemResult};
use store::cards::stock;
use store::{Database, PgConnection};

/// Rows of a results file at most: a batch has fewer.
pub const MOST_ROWS: usize = 10_000;
/// The names of the columns, which the first line may hold.
pub const COLUMNS: [&str; 4] = ["card_number", "outcome", "reason", "blank_serial"];

/// What became of one card, as the printer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRow {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The card's number.
    pub number: String,
    /// Why it is waste; `None` for a good card.
    pub spoiled: Option<SpoilReason>,
    /// The blank that it was written on, if the printer says.
    pub serial: Option<ChipSerial>,
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its line in the file, from 1.
    pub line: usize,
    /// What is wrong, and how it is written.
    pub what: String,
}

/// Reads a results file: a card a line, `card_number,outcome,reason,blank_serial`, the last two of which may
/// be left out. The outcome is `printed` or `spoiled`.
///
/// # Errors
/// All faults, by their lines.
pub fn parse(text: &str) -> Result<Vec<ResultRow>, Vec<Fault>> {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    for (line, row) in lines.map(|(index, row)| (index + 1, row.trim())) {
        let is_header = line == 1 && row.to_ascii_lowercase().starts_with(COLUMNS[0]);
        if row.is_empty() || is_header {
            continue;
        }
        if rows.len() + faults.len() == MOST_ROWS {
            faults.push(Fault { line, what: format!("a results file has at most {MOST_ROWS} rows") });
            break;
        }
        match parse_row(line, row) {
            Ok(row) => rows.push(row),
            Err(what) => faults.push(Fault { line, what }),
        }
    }
    if rows.is_empty() && faults.is_empty() {
        faults.push(Fault { line: 1, what: format!("no row; a row is {}", COLUMNS.join(",")) });
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

fn parse_row(line: usize, row: &str) -> Result<ResultRow, String> {
    let separator = if row.contains(';') { ';' } else { ',' };
    let mut fields: Vec<&str> = row.split(separator).map(|field| field.trim().trim_matches('"')).collect();
    if fields.len() > COLUMNS.len() {
        return Err(format!("{} fields; a row is {}", fields.len(), COLUMNS.join(",")));
    }
    fields.resize(COLUMNS.len(), "");
    let [number, outcome, reason, serial] = fields[..] else { unreachable!("resized to four") };
    let number: String = number.chars().filter(|c| !matches!(c, ' ' | '.')).collect();
    if number.len() < 10 || number.len() > 20 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the card's number has 10 digits, as printed on it".to_owned());
    }
    let spoiled = match (outcome.to_ascii_lowercase().as_str(), reason) {
        ("printed", "") => None,
        ("printed", _) => return Err("a printed card has no reason; a spoiled one has".to_owned()),
        ("spoiled", "") => Some(SpoilReason::Printer),
        ("spoiled", reason) => Some(SpoilReason::from_code(reason).ok_or_else(|| {
            let codes = SpoilReason::ALL.map(SpoilReason::code).join(", ");
            format!("the reason is one of {codes}, or nothing")
        })?),
        _ => return Err("the outcome is `printed` or `spoiled`".to_owned()),
    };
    let serial = match serial {
        "" => None,
        text => Some(ChipSerial::parse(text).map_err(|error| error.to_string())?),
    };
    Ok(ResultRow { line, number, spoiled, serial })
}

/// Where a results file and the batch disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line; `None` for a card that the file leaves out.
    pub line: Option<usize>,
    /// The card's number.
    pub number: String,
    /// Stable code.
    pub code: &'static str,
    /// What disagrees.
    pub what: String,
}

/// What came of a results file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It was recorded now, or before and with the same outcomes.
    Batch {
        /// The batch's number.
        batch: i64,
        /// Good cards.
        printed: usize,
        /// Cards whose people wait for another.
        spoiled: usize,
        /// Whether it was recorded before.
        before: bool,
    },
    /// It does not fit, and nothing was recorded.
    Differs {
        /// The batch's number.
        batch: i64,
        /// All of it, the file's lines first.
        differences: Vec<Difference>,
    },
}

/// Records a printer's results: of the batch that is named, or of the one that the first card is of. Nothing
/// is written unless the file names every card of the batch, once, and no other.
///
/// # Errors
/// [`Error::NoBatchNumber`], [`Error::NoCardNumber`]; [`Error::StockShort`], [`Error::BeingWritten`]; those
/// of the database.
pub async fn record_sheet(
    db: &Database,
    batch: Option<i64>,
    rows: &[ResultRow],
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Recorded, Error> {
    let mut conn = db.read().await?;
    let number = match (batch, rows.first()) {
        (Some(number), _) => number,
        (None, Some(row)) => batches::batch_of_card(&mut conn, &row.number)
            .await?
            .ok_or_else(|| Error::NoCardNumber { number: row.number.clone(), line: row.line })?,
        (None, None) => return Err(Error::NoBatchNumber(0)),
    };
    let line = batches::by_number(&mut conn, number).await?.ok_or(Error::NoBatchNumber(number))?;
    let items = batches::results(&mut conn, line.batch_id).await?;
    let mut differences = compare(rows, &items);
    differences.extend(blanks(&mut conn, rows, &items).await?);
    drop(conn);
    if !differences.is_empty() {
        differences.sort_by_key(|found| (found.line.unwrap_or(usize::MAX), found.number.clone()));
        return Ok(Recorded::Differs { batch: number, differences });
    }
    let by_number: HashMap<&str, &ResultRow> = rows.iter().map(|row| (row.number.as_str(), row)).collect();
    let came_out = |item: &ItemResult| {
        let row = by_number[item.number.as_str()];
        CameOut { position: item.position, spoiled: row.spoiled, serial: row.serial }
    };
    let outcomes: Vec<CameOut> = items.iter().map(came_out).collect();
    let (printed, spoiled) = record_outcomes(db, line.batch_id, &outcomes, by, now).await?;
    Ok(Recorded::Batch { batch: number, printed, spoiled, before: line.printed.is_some() })
}

/// Records that every card of a batch came out good.
///
/// # Errors
/// As [`record_sheet`].
pub async fn record_all_printed(
    db: &Database,
    batch: i64,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Recorded, Error> {
    let mut conn = db.read().await?;
    let line = batches::by_number(&mut conn, batch).await?.ok_or(Error::NoBatchNumber(batch))?;
    let items = batches::results(&mut conn, line.batch_id).await?;
    drop(conn);
    let row =
        |item: &ItemResult| ResultRow { line: 0, number: item.number.clone(), spoiled: None, serial: None };
    let rows: Vec<ResultRow> = items.iter().map(row).collect();
    record_sheet(db, Some(batch), &rows, by, now).await
}

/// What the rows and the batch say differently about its cards.
fn compare(rows: &[ResultRow], items: &[ItemResult]) -> Vec<Difference> {
    let known: HashMap<&str, &ItemResult> = items.iter().map(|item| (item.number.as_str(), item)).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for row in rows {
        let mut differs = |code, what| {
            found.push(Difference { line: Some(row.line), number: row.number.clone(), code, what });
        };
        let Some(item) = known.get(row.number.as_str()) else {
            differs("foreign", "it is no card of this batch".to_owned());
            continue;
        };
        if let Some(line) = first.insert(&row.number, row.line) {
            differs("twice", format!("it stands on line {line} already"));
            continue;
        }
        let says = if row.spoiled.is_some() { "spoiled" } else { "printed" };
        match item.outcome.as_deref() {
            Some(outcome) if outcome != says => {
                differs("otherwise", format!("it is recorded as {outcome}, and the file says {says}"));
            }
            _ => {}
        }
    }
    let left_out = items.iter().filter(|item| !first.contains_key(item.number.as_str()));
    found.extend(left_out.map(|item| Difference {
        line: None,
        number: item.number.clone(),
        code: "left_out",
        what: "it is a card of this batch and the file leaves it out".to_owned(),
    }));
    found
}

/// Named blanks that the cards cannot have been written on.
async fn blanks(
    conn: &mut PgConnection,
    rows: &[ResultRow],
    items: &[ItemResult],
) -> Result<Vec<Difference>, Error> {
    let named: Vec<String> =
        rows.iter().filter_map(|row| row.serial).map(|serial| serial.to_string()).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let known: HashMap<String, stock::Blank> = stock::blanks_named(conn, &named)
        .await?
        .into_iter()
        .map(|blank| (blank.serial.clone(), blank))
        .collect();
    let cards: HashMap<&str, &ItemResult> = items.iter().map(|item| (item.number.as_str(), item)).collect();
    let mut first: HashMap<ChipSerial, usize> = HashMap::new();
    let mut found = Vec::new();
    for row in rows {
        let Some(serial) = row.serial else { continue };
        let what = match known.get(&serial.to_string()) {
            _ if first.contains_key(&serial) => {
                Some(format!("blank {serial} stands on line {}", first[&serial]))
            }
            None => Some(format!("blank {serial} was never received; see `dancu stock receive`")),
            Some(blank) if blank.state == BlankState::InStock => None,
            Some(blank) => {
                let card = cards.get(row.number.as_str()).map(|item| item.card_id);
                let is_its = blank.card_id.is_some() && blank.card_id == card;
                (!is_its).then(|| format!("blank {serial} is {} already, for another card", blank.state))
            }
        };
        first.entry(serial).or_insert(row.line);
        found.extend(what.map(|what| Difference {
            line: Some(row.line),
            number: row.number.clone(),
            code: "blank",
            what,
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::{ApplicationId, CardId};

    fn check(text: &str) -> Result<Vec<(String, Option<&'static str>)>, Vec<usize>> {
        parse(text)
            .map(|rows| {
                rows.into_iter().map(|row| (row.number, row.spoiled.map(SpoilReason::code))).collect()
            })
            .map_err(|faults| faults.into_iter().map(|fault| fault.line).collect())
    }

    #[test]
    fn a_file_is_read_or_all_its_faults_are_told_by_line() {
        let good = "\u{feff}card_number,outcome,reason,blank_serial\n000012 0001,printed\n\n\
                    0000120002;SPOILED;misprinted\n0000120003,spoiled,,47900DE0000100000001\n";
        let read =
            [("0000120001", None), ("0000120002", Some("misprinted")), ("0000120003", Some("printer"))];
        assert_eq!(check(good), Ok(read.map(|(number, reason)| (number.to_owned(), reason)).to_vec()));
        let bad = "0000120001,fine\n12,printed\n0000120002,printed,damaged\n0000120003,spoiled,tired\n\
                   0000120004,printed,,xyz\n0000120005,printed,,,\n0000120006,printed\n";
        assert_eq!(check(bad), Err(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(check(""), Err(vec![1]));
        let long = "0000120001,printed\n".repeat(MOST_ROWS + 1);
        assert_eq!(check(&long), Err(vec![MOST_ROWS + 1]));
    }

    #[test]
    fn what_differs_from_the_batch_is_named() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let item = |position: i32, outcome: Option<&str>| ItemResult {
            position,
            application_id: ApplicationId::derive(now, &[&position.to_be_bytes()]),
            card_id: CardId::derive(now, &[&position.to_be_bytes()]),
            number: format!("000012{position:04}"),
            state: domain::card::CardState::Signed,
            outcome: outcome.map(str::to_owned),
            reason: None,
            blank: None,
        };
        let items = [item(1, None), item(2, Some("printed")), item(3, None)];
        let rows = parse("0000120001,printed\n0000120001,printed\n0000120002,spoiled\n0000990001,printed\n")
            .unwrap();
        let found: Vec<(Option<usize>, &str)> =
            compare(&rows, &items).iter().map(|found| (found.line, found.code)).collect();
        let expected = [(Some(2), "twice"), (Some(3), "otherwise"), (Some(4), "foreign"), (None, "left_out")];
        assert_eq!(found, expected);
    }
}
