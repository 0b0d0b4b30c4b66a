//! Bulk load by `COPY … FROM STDIN (FORMAT binary)`: about eight times the rows a second of prepared inserts.
//!
//! The format is PostgreSQL's own (documentation of COPY, "Binary Format"): a header, rows of counted and
//! length-prefixed fields, a trailer. Integers are big-endian; each field is the type's binary wire form, so
//! the push method must match the column's type exactly (`i32` into `integer`, `i64` into `bigint`).

use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;
use time::{Date, Month, OffsetDateTime};
use uuid::Uuid;

use crate::Error;

/// Sent when this much has gathered: large enough to make the message overhead vanish, small enough to stay
/// in cache.
const CHUNK_BYTES: usize = 256 * 1024;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// PostgreSQL counts days and microseconds from 2000-01-01.
const EPOCH: Date = match Date::from_calendar_date(2000, Month::January, 1) {
    Ok(date) => date,
    Err(_) => panic!("2000-01-01 is a date"),
};

/// A bulk load in progress. Nothing is loaded unless [`CopyIn::finish`] succeeds; dropping it abandons the
/// load, and the transaction with it.
///
/// ```no_run
/// # async fn example(
/// #     tx: &mut sqlx::PgConnection,
/// #     people: Vec<(uuid::Uuid, Option<String>)>,
/// # ) -> Result<(), store::Error> {
/// let mut copy = store::CopyIn::begin(tx, "COPY t (id, name) FROM STDIN (FORMAT binary)").await?;
/// for (id, name) in &people {
///     copy.row(|r| r.uuid(*id).opt(name.as_deref(), store::CopyRow::text)).await?;
/// }
/// let rows = copy.finish().await?;
/// # Ok(())
/// # }
/// ```
pub struct CopyIn<'c> {
    copy: PgCopyIn<&'c mut PgConnection>,
    row: CopyRow,
    columns: usize,
    rows: u64,
}

impl<'c> CopyIn<'c> {
    /// Begins the load on a connection, usually a transaction (`&mut *tx`).
    ///
    /// # Errors
    /// When the server refuses the statement, or it is not in binary format.
    pub async fn begin(
        connection: &'c mut PgConnection,
        statement: &'static str,
    ) -> Result<CopyIn<'c>, Error> {
        let copy = connection.copy_in_raw(statement).await?;
        if copy.is_textual() {
            let reason = "a bulk load needs a COPY statement with (FORMAT binary)".to_owned();
            copy.abort(reason.clone()).await?;
            return Err(Error::Driver(reason));
        }
        let columns = copy.num_columns();
        let mut row = CopyRow { buffer: Vec::with_capacity(CHUNK_BYTES + 4096), fields: 0 };
        row.buffer.extend_from_slice(SIGNATURE);
        row.buffer.extend_from_slice(&[0; 8]); // flags, length of the header's extension
        Ok(CopyIn { copy, row, columns, rows: 0 })
    }

    /// Adds a row: `fill` pushes one value for each column of the statement, in its order.
    ///
    /// # Errors
    /// [`Error::CopyFields`] when the number of values is not the number of columns; a lost connection.
    pub async fn row(&mut self, fill: impl FnOnce(&mut CopyRow) -> &mut CopyRow) -> Result<(), Error> {
        self.push(fill)?;
        if self.row.buffer.len() >= CHUNK_BYTES {
            self.copy.send(self.row.buffer.as_slice()).await?;
            self.row.buffer.clear();
        }
        Ok(())
    }

    fn push(&mut self, fill: impl FnOnce(&mut CopyRow) -> &mut CopyRow) -> Result<(), Error> {
        let columns = i16::try_from(self.columns).expect("a table has at most 1600 columns");
        self.row.buffer.extend_from_slice(&columns.to_be_bytes());
        self.row.fields = 0;
        fill(&mut self.row);
        self.rows += 1;
        if self.row.fields == self.columns {
            return Ok(());
        }
        Err(Error::CopyFields { row: self.rows, expected: self.columns, found: self.row.fields })
    }

    /// Ends the load and returns the number of rows.
    ///
    /// # Errors
    /// What the server found wrong with any row: then none is loaded.
    pub async fn finish(mut self) -> Result<u64, Error> {
        self.row.buffer.extend_from_slice(&(-1i16).to_be_bytes());
        self.copy.send(self.row.buffer.as_slice()).await?;
        Ok(self.copy.finish().await?)
    }
}

/// A bulk load into a table under row-level security, which the server takes from its owner only: by way of a
/// temporary table, which nobody else sees and which is not written to the log. Made by [`staged!`].
pub(crate) struct Staged {
    pub make: &'static str,
    pub copy: &'static str,
    pub put: &'static str,
    pub forget: &'static str,
}

impl Staged {
    /// Begins the load; it is for the temporary table until [`Staged::end`].
    pub(crate) async fn begin<'c>(&self, tx: &'c mut PgConnection) -> Result<CopyIn<'c>, Error> {
        sqlx::raw_sql(self.make).execute(&mut *tx).await?;
        CopyIn::begin(tx, self.copy).await
    }

    /// Puts what was loaded where it belongs.
    pub(crate) async fn end(&self, tx: &mut PgConnection) -> Result<u64, Error> {
        let put = sqlx::query(self.put).execute(&mut *tx).await?;
        sqlx::raw_sql(self.forget).execute(tx).await?;
        Ok(put.rows_affected())
    }
}

/// A [`Staged`] load into these columns of a table.
macro_rules! staged {
    ($table:literal, $columns:literal) => {
        $crate::platform::copy::Staged {
            make: concat!(
                "CREATE TEMPORARY TABLE ",
                $table,
                "_load ON COMMIT DROP AS SELECT ",
                $columns,
                " FROM ",
                $table,
                " WITH NO DATA"
            ),
            copy: concat!("COPY ", $table, "_load FROM STDIN (FORMAT binary)"),
            put: concat!(
                "INSERT INTO ",
                $table,
                " (",
                $columns,
                ") SELECT ",
                $columns,
                " FROM ",
                $table,
                "_load"
            ),
            forget: concat!("DROP TABLE ", $table, "_load"),
        }
    };
}
pub(crate) use staged;

/// The row being filled.
pub struct CopyRow {
    buffer: Vec<u8>,
    fields: usize,
}

impl CopyRow {
    fn field(&mut self, bytes: &[u8]) -> &mut CopyRow {
        self.length(bytes.len());
        self.buffer.extend_from_slice(bytes);
        self
    }

    fn length(&mut self, bytes: usize) {
        let length = i32::try_from(bytes).expect("a value is under PostgreSQL's limit of 1 GiB");
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.fields += 1;
    }

    /// NULL, for a column of any type.
    pub fn null(&mut self) -> &mut CopyRow {
        self.buffer.extend_from_slice(&(-1i32).to_be_bytes());
        self.fields += 1;
        self
    }

    /// `put` of the value, or NULL: `r.opt(age, CopyRow::i16)`.
    pub fn opt<T>(
        &mut self,
        value: Option<T>,
        put: impl for<'a> FnOnce(&'a mut CopyRow, T) -> &'a mut CopyRow,
    ) -> &mut CopyRow {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }

    /// Into `uuid`.
    pub fn uuid(&mut self, value: Uuid) -> &mut CopyRow {
        self.field(value.as_bytes())
    }

    /// Into `text` or `varchar`.
    pub fn text(&mut self, value: &str) -> &mut CopyRow {
        self.field(value.as_bytes())
    }

    /// Into `bytea`.
    pub fn bytea(&mut self, value: &[u8]) -> &mut CopyRow {
        self.field(value)
    }

    /// Into `boolean`.
    pub fn bool(&mut self, value: bool) -> &mut CopyRow {
        self.field(&[u8::from(value)])
    }

    /// Into `smallint`.
    pub fn i16(&mut self, value: i16) -> &mut CopyRow {
        self.field(&value.to_be_bytes())
    }

    /// Into `integer`.
    pub fn i32(&mut self, value: i32) -> &mut CopyRow {
        self.field(&value.to_be_bytes())
    }

    /// Into `bigint`.
    pub fn i64(&mut self, value: i64) -> &mut CopyRow {
        self.field(&value.to_be_bytes())
    }

    /// Into `real`.
    pub fn f32(&mut self, value: f32) -> &mut CopyRow {
        self.field(&value.to_be_bytes())
    }

    /// Into `double precision`.
    pub fn f64(&mut self, value: f64) -> &mut CopyRow {
        self.field(&value.to_be_bytes())
    }

    /// Into `date`.
    pub fn date(&mut self, value: Date) -> &mut CopyRow {
        self.i32(value.to_julian_day() - EPOCH.to_julian_day())
    }

    /// Into `timestamptz`; finer than a microsecond is cut off.
    pub fn timestamptz(&mut self, value: OffsetDateTime) -> &mut CopyRow {
        let since = value - EPOCH.midnight().assume_utc();
        // Rounded down, before the epoch too, so that the order of instants stays.
        let microseconds = since.whole_nanoseconds().div_euclid(1_000);
        self.i64(i64::try_from(microseconds).expect("years up to 9999 fit in i64 microseconds"))
    }

    /// JSON text into `json`.
    pub fn json(&mut self, value: &str) -> &mut CopyRow {
        self.field(value.as_bytes())
    }

    /// JSON text into `jsonb`, whose wire form has a version byte first.
    pub fn jsonb(&mut self, value: &str) -> &mut CopyRow {
        self.length(1 + value.len());
        self.buffer.push(1);
        self.buffer.extend_from_slice(value.as_bytes());
        self
    }

    /// Into `text[]`.
    pub fn text_array<S: AsRef<str>>(&mut self, values: &[S]) -> &mut CopyRow {
        const TEXT_OID: u32 = 25;
        let mut bytes = Vec::new();
        let dimensions = i32::from(!values.is_empty());
        bytes.extend_from_slice(&dimensions.to_be_bytes());
        bytes.extend_from_slice(&0i32.to_be_bytes()); // no NULL elements
        bytes.extend_from_slice(&TEXT_OID.to_be_bytes());
        let count =
            |n: usize| i32::try_from(n).expect("a value is under PostgreSQL's limit of 1 GiB").to_be_bytes();
        if !values.is_empty() {
            bytes.extend_from_slice(&count(values.len()));
            bytes.extend_from_slice(&1i32.to_be_bytes()); // lower bound
        }
        for value in values {
            bytes.extend_from_slice(&count(value.as_ref().len()));
            bytes.extend_from_slice(value.as_ref().as_bytes());
        }
        self.field(&bytes)
    }
}
