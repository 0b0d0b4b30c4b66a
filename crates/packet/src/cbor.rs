//! Reading CBOR strictly: one encoding per value, nothing left over, and errors that say what and where.

use coset::cbor::Value;
use coset::cbor::de::{Error as CborError, from_reader};
use coset::cbor::ser::into_writer;

use crate::PacketError;

/// Years of instants and days.
const YEARS: std::ops::Range<i32> = 1900..2200;
/// Of anything that a kit counts; one makes some 60 packets a day.
const MOST_COUNTED: u64 = 10_000_000;

/// Decodes exactly one item. An item that would be written otherwise (RFC 8949 §4.2) is refused, so that two
/// different byte strings never mean the same message.
pub(crate) fn decode(what: &'static str, bytes: &[u8]) -> Result<Value, PacketError> {
    let mut rest = bytes;
    let value: Value = from_reader(&mut rest).map_err(|error| PacketError::Cbor {
        what,
        offset: match error {
            CborError::Syntax(offset) => Some(offset),
            CborError::Semantic(offset, _) => offset,
            CborError::Io(_) => Some(bytes.len()),
            CborError::RecursionLimitExceeded => None,
        },
    })?;
    if !rest.is_empty() {
        return Err(PacketError::Trailing { what, offset: bytes.len() - rest.len(), extra: rest.len() });
    }
    let again = encode(&value);
    if again != bytes {
        let offset = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        return Err(PacketError::NotCanonical { what, offset });
    }
    Ok(value)
}

pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).expect("writing a value into memory does not fail");
    bytes
}

/// The items of an array, taken one after the other.
pub(crate) struct Items {
    what: &'static str,
    items: std::vec::IntoIter<Value>,
}

impl Items {
    /// `value` as an array of exactly `length` items.
    pub(crate) fn of(what: &'static str, value: Value, length: usize) -> Result<Self, PacketError> {
        let items = array(what, value, length)?;
        if items.len() != length {
            return Err(PacketError::Structure {
                what,
                problem: "has another number of items than its version says",
            });
        }
        Ok(Self { what, items: items.into_iter() })
    }

    /// `value` as an array of one of these lengths, which is said too.
    pub(crate) fn one_of(
        what: &'static str,
        value: Value,
        lengths: &[usize],
    ) -> Result<(Self, usize), PacketError> {
        let found = match &value {
            Value::Array(items) => items.len(),
            _ => 0,
        };
        let length = lengths.iter().copied().find(|length| *length == found);
        let length = length.or(lengths.first().copied()).unwrap_or(found);
        Ok((Self::of(what, value, length)?, length))
    }

    /// `value` as an array whose first item is the version, and which has `length` items in that version.
    pub(crate) fn versioned(
        what: &'static str,
        value: Value,
        known: u16,
        length: usize,
    ) -> Result<Self, PacketError> {
        // An older or newer message may have another number of items, and its version is said all the same.
        if let Value::Array(items) = &value
            && let Some(Value::Integer(found)) = items.first()
            && let Ok(found) = u16::try_from(i128::from(*found))
            && found != known
        {
            return Err(PacketError::Version { what, found, known });
        }
        let mut items = Self::of(what, value, length)?;
        items.version(known)?;
        Ok(items)
    }

    /// What `read` makes of the next item, unless it is null.
    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, PacketError>,
    ) -> Result<Option<T>, PacketError> {
        if matches!(self.items.as_slice().first(), Some(Value::Null)) {
            self.items.next();
            return Ok(None);
        }
        read(self).map(Some)
    }

    pub(crate) fn value(&mut self) -> Value {
        self.items.next().unwrap_or(Value::Null)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], PacketError> {
        let what = self.what;
        let bytes = self.byte_string(N)?;
        bytes
            .try_into()
            .map_err(|_| PacketError::Structure { what, problem: "holds a byte string of another length" })
    }

    pub(crate) fn byte_string(&mut self, limit: usize) -> Result<Vec<u8>, PacketError> {
        let what = self.what;
        let Value::Bytes(bytes) = self.value() else {
            return Err(PacketError::Structure { what, problem: "lacks a byte string" });
        };
        if bytes.len() > limit {
            return Err(PacketError::TooLarge { what, bytes: bytes.len(), limit });
        }
        Ok(bytes)
    }

    pub(crate) fn text(&mut self, limit: usize) -> Result<String, PacketError> {
        let what = self.what;
        let Value::Text(text) = self.value() else {
            return Err(PacketError::Structure { what, problem: "lacks a text" });
        };
        if text.len() > limit {
            return Err(PacketError::TooLarge { what, bytes: text.len(), limit });
        }
        if domain::text::forbidden(&text).is_some() {
            let problem = "holds a text with a control character or an invisible mark";
            return Err(PacketError::Structure { what, problem });
        }
        Ok(text)
    }

    pub(crate) fn integer<T: TryFrom<i128>>(&mut self) -> Result<T, PacketError> {
        let what = self.what;
        let Value::Integer(integer) = self.value() else {
            return Err(PacketError::Structure { what, problem: "lacks an integer" });
        };
        T::try_from(i128::from(integer))
            .map_err(|_| PacketError::Structure { what, problem: "holds an integer out of range" })
    }

    pub(crate) fn version(&mut self, known: u16) -> Result<(), PacketError> {
        match self.integer::<u16>()? {
            version if version == known => Ok(()),
            found => Err(PacketError::Version { what: self.what, found, known }),
        }
    }

    /// A number of things, which also fits where such numbers are added up.
    pub(crate) fn count(&mut self) -> Result<u64, PacketError> {
        let what = self.what;
        let structure = |problem| PacketError::Structure { what, problem };
        let count: i64 = self.integer()?;
        let count = u64::try_from(count).map_err(|_| structure("has a negative count"))?;
        if count > MOST_COUNTED { Err(structure("counts more than 10,000,000")) } else { Ok(count) }
    }

    /// An instant written as whole milliseconds since 1970, in years that every calendar here holds: a clock
    /// that stands at its maker's first day is among them, and the year 9999, which ends in Vietnam before it
    /// ends in UTC, is not.
    pub(crate) fn instant(&mut self) -> Result<time::OffsetDateTime, PacketError> {
        let what = self.what;
        let ms: i64 = self.integer()?;
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
            .ok()
            .filter(|at| YEARS.contains(&at.year()))
            .ok_or(PacketError::Structure { what, problem: "holds an instant outside 1900 to 2199" })
    }

    /// A day, by its Julian number, in the years of [`Items::instant`].
    pub(crate) fn day(&mut self) -> Result<time::Date, PacketError> {
        let what = self.what;
        time::Date::from_julian_day(self.integer()?)
            .ok()
            .filter(|day| YEARS.contains(&day.year()))
            .ok_or(PacketError::Structure { what, problem: "holds a day outside 1900 to 2199" })
    }

    pub(crate) fn array(&mut self, limit: usize) -> Result<Vec<Value>, PacketError> {
        array(self.what, self.value(), limit)
    }
}

fn array(what: &'static str, value: Value, limit: usize) -> Result<Vec<Value>, PacketError> {
    let Value::Array(items) = value else {
        return Err(PacketError::Structure { what, problem: "is not an array" });
    };
    if items.len() > limit {
        return Err(PacketError::TooMany { what, items: items.len(), limit });
    }
    Ok(items)
}

pub(crate) fn unix_ms(at: time::OffsetDateTime) -> Value {
    let ms = at.unix_timestamp_nanos().div_euclid(1_000_000);
    Value::Integer(i64::try_from(ms).expect("years up to 9999 fit").into())
}

pub(crate) fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

pub(crate) fn uuid_value(id: uuid::Uuid) -> Value {
    bytes(id.as_bytes())
}
