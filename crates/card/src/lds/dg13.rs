//! DG13: the holder's civil data in Vietnamese. The layout is not public; it was read off published cards:
//!
//! `6D { SEQUENCE { INTEGER 1, OID 1.0.10646.1.0.8 (UTF-8), SET { SEQUENCE { INTEGER n, value } … } } }`
//!
//! with n ascending. The SET keeps that order: a DER encoder that sorts it changes the bytes that are hashed.

use std::borrow::Cow;

use crate::{
    CardError,
    data::{BirthDate, CardData, CardFields, Expiry, Sex, parse_printed},
    tlv::{self, Reader, Tag, Tlv},
};

const FILE: &str = "DG13";
const UTF8_OID: &[u8] = &[0x28, 0xD3, 0x16, 0x01, 0x00, 0x08];
/// The version, 1, as an INTEGER.
const VERSION: &[u8] = &[0x02, 0x01, 0x01];

/// Field numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldNumber(pub u8);

impl FieldNumber {
    /// Personal number, twelve digits.
    pub const PIN: Self = Self(1);
    /// Full name, in the case in which it is printed.
    pub const NAME: Self = Self(2);
    /// Date of birth as printed; day and month may be missing.
    pub const BIRTH: Self = Self(3);
    /// "Nam" or "Nữ".
    pub const SEX: Self = Self(4);
    /// Nationality as printed.
    pub const NATIONALITY: Self = Self(5);
    /// Ethnic group as printed.
    pub const ETHNICITY: Self = Self(6);
    /// Religion as printed.
    pub const RELIGION: Self = Self(7);
    /// Native place (quê quán) as printed.
    pub const NATIVE_PLACE: Self = Self(8);
    /// Permanent residence (nơi thường trú) as printed.
    pub const RESIDENCE: Self = Self(9);
    /// Distinguishing marks (đặc điểm nhận dạng).
    pub const MARKS: Self = Self(10);
    /// Day of issue, dd/mm/yyyy.
    pub const ISSUED: Self = Self(11);
    /// Last day of validity, dd/mm/yyyy, or "Không thời hạn".
    pub const EXPIRES: Self = Self(12);
    /// Father, then mother.
    pub const PARENTS: Self = Self(13);
    /// Husband or wife.
    pub const SPOUSE: Self = Self(14);
    /// Number of the earlier card of nine digits (chứng minh nhân dân).
    pub const CMND: Self = Self(15);
    /// 16 characters whose meaning is not known; read, never written.
    pub const UNKNOWN: Self = Self(16);

    fn is_printable_string(self) -> bool {
        matches!(self, Self::PIN | Self::BIRTH | Self::ISSUED | Self::CMND | Self::UNKNOWN)
    }
}

/// What stands in a field.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    /// The relatives named in field 13 (father, mother) or 14 (spouse), in that order; may be empty.
    Relatives(Vec<&'a str>),
}

/// The fields in file order, as they stand in the file or the card's data.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dg13<'a> {
    fields: Vec<(FieldNumber, Value<'a>)>,
}

/// Personal data stays out of logs.
impl std::fmt::Debug for Dg13<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dg13(redacted, {} fields)", self.fields.len())
    }
}

impl<'a> Dg13<'a> {
    /// The fields that a card of ours carries, in the order of published cards.
    pub fn from_card(card: &CardData<'a>) -> Dg13<'a> {
        let card = card.fields();
        let text = |number, text: &'a str| (number, Value::Text(Cow::Borrowed(text)));
        let made = |number, text| (number, Value::Text(Cow::Owned(text)));
        // Fifteen at most: one allocation.
        let mut fields = Vec::with_capacity(15);
        fields.extend([
            text(FieldNumber::PIN, card.pin),
            text(FieldNumber::NAME, card.name),
            made(FieldNumber::BIRTH, card.birth.printed()),
            text(FieldNumber::SEX, card.sex.vietnamese()),
            text(FieldNumber::NATIONALITY, card.nationality),
            text(FieldNumber::ETHNICITY, card.ethnicity),
            text(FieldNumber::RELIGION, card.religion),
            text(FieldNumber::NATIVE_PLACE, card.native_place),
            text(FieldNumber::RESIDENCE, card.residence),
            text(FieldNumber::MARKS, card.marks),
            made(FieldNumber::ISSUED, crate::data::printed(card.issued)),
            made(FieldNumber::EXPIRES, card.expires.printed()),
        ]);
        let parents = match (card.father, card.mother) {
            (None, None) => vec![],
            (Some(father), None) => vec![father],
            // The mother is the second entry, so an unknown father leaves an empty first one.
            (father, Some(mother)) => vec![father.unwrap_or(""), mother],
        };
        fields.push((FieldNumber::PARENTS, Value::Relatives(parents)));
        fields.push((FieldNumber::SPOUSE, Value::Relatives(card.spouse.into_iter().collect())));
        fields.extend(card.cmnd.map(|old| text(FieldNumber::CMND, old)));
        Dg13 { fields }
    }

    /// The text of a field; `None` when the file lacks it or it holds relatives.
    pub fn text(&self, number: FieldNumber) -> Option<&str> {
        self.fields.iter().find_map(|(n, value)| match value {
            Value::Text(text) if *n == number => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The first name of field 13; `None` when the file does not state it.
    pub fn father(&self) -> Option<&str> {
        self.relative(FieldNumber::PARENTS, 0)
    }

    /// The second name of field 13; `None` when the file does not state it.
    pub fn mother(&self) -> Option<&str> {
        self.relative(FieldNumber::PARENTS, 1)
    }

    /// The name of field 14; `None` when the file does not state it.
    pub fn spouse(&self) -> Option<&str> {
        self.relative(FieldNumber::SPOUSE, 0)
    }

    /// The fields as a card has them, to be checked by [`CardData::new`].
    ///
    /// # Errors
    /// [`CardError::Field`] names the first field that is missing or is not written as the card writes it.
    pub fn card_fields(&self) -> Result<CardFields<'_>, CardError> {
        let need = |number, field| {
            let problem = "is missing from DG13";
            self.text(number).ok_or(CardError::Field { field, problem })
        };
        let wrong = |field| CardError::Field { field, problem: "is not written as DG13 writes it" };
        let any = |number| self.text(number).unwrap_or("");
        let expires = match self.text(FieldNumber::EXPIRES) {
            Some(text) if text != Expiry::Never.printed() => {
                Expiry::On(parse_printed(text).ok_or_else(|| wrong("expires"))?)
            }
            _ => Expiry::Never,
        };
        Ok(CardFields {
            pin: need(FieldNumber::PIN, "pin")?,
            cmnd: self.text(FieldNumber::CMND),
            name: need(FieldNumber::NAME, "name")?,
            birth: BirthDate::parse_printed(need(FieldNumber::BIRTH, "birth")?)
                .ok_or_else(|| wrong("birth"))?,
            sex: Sex::from_vietnamese(need(FieldNumber::SEX, "sex")?).ok_or_else(|| wrong("sex"))?,
            nationality: any(FieldNumber::NATIONALITY),
            ethnicity: any(FieldNumber::ETHNICITY),
            religion: any(FieldNumber::RELIGION),
            native_place: any(FieldNumber::NATIVE_PLACE),
            residence: any(FieldNumber::RESIDENCE),
            marks: any(FieldNumber::MARKS),
            father: self.father(),
            mother: self.mother(),
            spouse: self.spouse(),
            issued: parse_printed(need(FieldNumber::ISSUED, "issued")?).ok_or_else(|| wrong("issued"))?,
            expires,
        })
    }

    /// In the order of the file.
    pub fn fields(&self) -> &[(FieldNumber, Value<'a>)] {
        &self.fields
    }

    fn relative(&self, number: FieldNumber, index: usize) -> Option<&str> {
        self.fields.iter().find_map(|(n, value)| match value {
            Value::Relatives(names) if *n == number => {
                names.get(index).copied().filter(|name| !name.is_empty())
            }
            _ => None,
        })
    }

    /// The file's bytes, in the form of published cards.
    pub fn encode(&self) -> Vec<u8> {
        // Lengths are added up first, so that everything is written once, into one buffer.
        let fields_len =
            self.fields.iter().map(|(_, value)| tlv::encoded_len(Tag::SEQUENCE, field_len(value))).sum();
        let sequence_len = VERSION.len()
            + tlv::encoded_len(Tag::OID, UTF8_OID.len())
            + tlv::encoded_len(Tag::SET, fields_len);
        let file_len = tlv::encoded_len(Tag::SEQUENCE, sequence_len);
        let mut out = Vec::with_capacity(tlv::encoded_len(Tag(0x6D), file_len));
        tlv::put_header(&mut out, Tag(0x6D), file_len);
        tlv::put_header(&mut out, Tag::SEQUENCE, sequence_len);
        out.extend_from_slice(VERSION);
        tlv::put(&mut out, Tag::OID, UTF8_OID);
        tlv::put_header(&mut out, Tag::SET, fields_len);
        for (number, value) in &self.fields {
            put_field(&mut out, *number, value);
        }
        out
    }

    /// Reads the file as a chip sends it.
    ///
    /// # Errors
    ///
    /// When the structure is another, a text is not UTF-8, or a field comes twice.
    pub fn parse(file: &'a [u8]) -> Result<Dg13<'a>, CardError> {
        let outer = tlv::single(file, Tag(0x6D), "DG13 must be one object with tag 6D")?;
        let mut reader = outer.children()?;
        let sequence = reader.expect(Tag::SEQUENCE, "SEQUENCE expected")?;
        reader.finish()?;
        let mut reader = sequence.children()?;
        reader.expect(Tag::INTEGER, "version (INTEGER) expected")?;
        reader.expect(Tag::OID, "character set (OBJECT IDENTIFIER) expected")?;
        let set = reader.expect(Tag::SET, "SET of fields expected")?;
        reader.finish()?;
        let mut reader = set.children()?;
        let mut fields: Vec<(FieldNumber, Value<'a>)> = Vec::new();
        while !reader.is_empty() {
            let field = reader.expect(Tag::SEQUENCE, "field (SEQUENCE) expected")?;
            let (number, value) = parse_field(&field)?;
            if fields.iter().any(|(n, _)| *n == number) {
                return Err(error(field.offset, "field number used twice"));
            }
            fields.push((number, value));
        }
        Ok(Dg13 { fields })
    }
}

/// Size of a field's number and value.
fn field_len(value: &Value<'_>) -> usize {
    let value_len = match value {
        Value::Text(text) => tlv::encoded_len(Tag::UTF8_STRING, text.len()),
        Value::Relatives(names) => names
            .iter()
            .map(|name| tlv::encoded_len(Tag::SEQUENCE, tlv::encoded_len(Tag::UTF8_STRING, name.len())))
            .sum(),
    };
    tlv::encoded_len(Tag::INTEGER, 1) + value_len
}

fn put_field(out: &mut Vec<u8>, number: FieldNumber, value: &Value<'_>) {
    tlv::put_header(out, Tag::SEQUENCE, field_len(value));
    tlv::put(out, Tag::INTEGER, &[number.0]);
    match value {
        Value::Text(text) => {
            let tag = if number.is_printable_string() { Tag::PRINTABLE_STRING } else { Tag::UTF8_STRING };
            tlv::put(out, tag, text.as_bytes());
        }
        Value::Relatives(names) => {
            for name in names {
                tlv::put_header(out, Tag::SEQUENCE, tlv::encoded_len(Tag::UTF8_STRING, name.len()));
                tlv::put(out, Tag::UTF8_STRING, name.as_bytes());
            }
        }
    }
}

fn parse_field<'a>(field: &Tlv<'a>) -> Result<(FieldNumber, Value<'a>), CardError> {
    let mut reader = field.children()?;
    let number = reader.expect(Tag::INTEGER, "field number (INTEGER) expected")?;
    let &[number_byte @ 1..=0x7F] = number.value else {
        return Err(error(number.value_offset(), "field number must lie between 1 and 127"));
    };
    let number = FieldNumber(number_byte);
    if matches!(number, FieldNumber::PARENTS | FieldNumber::SPOUSE) {
        let mut names = Vec::new();
        relatives(&mut reader, &mut names)?;
        return Ok((number, Value::Relatives(names)));
    }
    let value = match reader.read()? {
        Some(value) => text(&value)?,
        // Seen for fields without a value.
        None => "",
    };
    reader.finish()?;
    Ok((number, Value::Text(Cow::Borrowed(value))))
}

/// Collects names from sibling SEQUENCEs or from SEQUENCEs nested in one: both occur.
fn relatives<'a>(reader: &mut Reader<'a>, names: &mut Vec<&'a str>) -> Result<(), CardError> {
    while let Some(value) = reader.read()? {
        if names.len() == 8 {
            return Err(error(value.offset, "more relatives than a card can name"));
        }
        if value.tag == Tag::SEQUENCE {
            relatives(&mut value.children()?, names)?;
        } else {
            names.push(text(&value)?);
        }
    }
    Ok(())
}

fn text<'a>(value: &Tlv<'a>) -> Result<&'a str, CardError> {
    if !matches!(value.tag, Tag::UTF8_STRING | Tag::PRINTABLE_STRING) {
        return Err(error(value.offset, "UTF8String or PrintableString expected"));
    }
    std::str::from_utf8(value.value)
        .map_err(|e| error(value.value_offset() + e.valid_up_to(), "text is not UTF-8"))
}

fn error(offset: usize, problem: &'static str) -> CardError {
    CardError::File { file: FILE, offset, problem }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{data::tests::sample, tests::unhex};

    /// Six fields of a person who does not exist, laid out as on published cards.
    const SIX_FIELDS: &str = "\
        6d8189308186020101060628d31601000831793011020101130c30303131393930313233343530190201020c144e6775\
        79e1bb856e205468e1bb8b204de1baab75300f020103130a30312f30312f3139393930090201040c044ee1bbaf302802\
        010d30110c0f4e677579e1bb856e2056c4836e204130100c0e5472e1baa76e205468e1bb8b2042300302010e";

    #[test]
    fn the_published_layout_reads_and_writes_to_the_same_bytes() {
        let bytes = unhex(SIX_FIELDS);
        let dg13 = Dg13::parse(&bytes).unwrap();
        assert_eq!(dg13.text(FieldNumber::PIN), Some("001199012345"));
        assert_eq!(dg13.text(FieldNumber::NAME), Some("Nguyễn Thị Mẫu"));
        assert_eq!(dg13.text(FieldNumber::BIRTH), Some("01/01/1999"));
        assert_eq!((dg13.father(), dg13.mother()), (Some("Nguyễn Văn A"), Some("Trần Thị B")));
        assert_eq!(dg13.spouse(), None);
        assert_eq!(dg13.encode(), bytes);
    }

    #[test]
    fn nested_parents_are_accepted() {
        let inner =
            |name: &str| tlv::encode(Tag::SEQUENCE, &[&tlv::encode(Tag::UTF8_STRING, &[name.as_bytes()])]);
        let nested = tlv::encode(Tag::SEQUENCE, &[&inner("A"), &inner("B")]);
        let field = tlv::encode(Tag::SEQUENCE, &[&[2, 1, 13], &nested]);
        let body = [&[2, 1, 1][..], &[6, 1, 0x28], &tlv::encode(Tag::SET, &[&field])].concat();
        let file = tlv::encode(Tag(0x6D), &[&tlv::encode(Tag::SEQUENCE, &[&body])]);
        let dg13 = Dg13::parse(&file).unwrap();
        assert_eq!((dg13.father(), dg13.mother()), (Some("A"), Some("B")));
    }

    #[test]
    fn the_fields_of_a_card_come_back() {
        for change in [
            sample(),
            CardFields { cmnd: None, birth: BirthDate::Year(1950), expires: Expiry::Never, ..sample() },
        ] {
            let card = CardData::new(change).unwrap();
            let file = Dg13::from_card(&card).encode();
            let dg13 = Dg13::parse(&file).unwrap();
            let again = CardData::new(dg13.card_fields().unwrap()).unwrap();
            assert_eq!(Dg13::from_card(&again).encode(), file);
        }
        let six = unhex(SIX_FIELDS);
        let six = Dg13::parse(&six).unwrap();
        let lacking = six.card_fields().map(|_| ()).unwrap_err().to_string();
        assert!(lacking.contains("sex") || lacking.contains("issued"), "{lacking}");
    }

    #[test]
    fn an_unknown_father_does_not_move_the_mother() {
        let card = CardData::new(CardFields { father: None, ..sample() }).unwrap();
        let file = Dg13::from_card(&card).encode();
        let dg13 = Dg13::parse(&file).unwrap();
        assert_eq!((dg13.father(), dg13.mother()), (None, Some("Trần Thị B")));
    }

    #[test]
    fn a_repeated_field_is_refused_at_its_place() {
        let name = (FieldNumber::NAME, Value::Text("x".into()));
        let file = Dg13 { fields: vec![name.clone(), name] }.encode();
        assert!(matches!(Dg13::parse(&file), Err(CardError::File { offset: 25, .. })));
    }

    proptest! {
        #[test]
        fn any_texts_read_back(
            name in "\\PC{1,80}",
            place in "\\PC{0,80}",
            spouse in proptest::option::of("\\PC{1,40}"),
        ) {
            let spouse = spouse.as_deref();
            let fields = CardFields { name: &name, native_place: &place, spouse, ..sample() };
            if let Ok(card) = CardData::new(fields) {
                let dg13 = Dg13::from_card(&card);
                let file = dg13.encode();
                prop_assert_eq!(Dg13::parse(&file).unwrap(), dg13);
            }
        }

        #[test]
        fn damaged_files_never_panic(at in any::<usize>(), byte in any::<u8>(), cut in 0usize..140) {
            let mut file = unhex(SIX_FIELDS);
            let index = at % file.len();
            file[index] = byte;
            let _ = Dg13::parse(&file);
            file.truncate(cut);
            let _ = Dg13::parse(&file);
        }
    }
}
