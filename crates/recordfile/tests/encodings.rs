//! The ways in which writers of Parquet put texts down, and what damage does to them.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use recordfile::{Error, read};

const ROWS: usize = 20_000;

/// Some names are many people's, some one's; every fifth is missing in the first half, none in the second.
fn name(row: usize) -> Option<String> {
    let is_missing = row % 5 == 1 && row < ROWS / 2;
    let name = if row.is_multiple_of(3) {
        format!(" Lý Thị {row}")
    } else {
        format!("Nguyễn Văn {} ", row % 40)
    };
    (!is_missing).then_some(name)
}

/// A file of names and genders; a name is given for each row.
fn file(properties: WriterPropertiesBuilder, name: impl Fn(usize) -> Option<Vec<u8>>) -> Vec<u8> {
    let schema = "message register { optional binary full_name (UTF8); required binary sex (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties.build())).unwrap();
    for rows in [0..ROWS - 700, ROWS - 700..ROWS] {
        let mut group = writer.next_row_group().unwrap();
        let names: Vec<Option<Vec<u8>>> = rows.clone().map(&name).collect();
        let levels: Vec<i16> = names.iter().map(|name| i16::from(name.is_some())).collect();
        let names: Vec<ByteArray> = names.into_iter().flatten().map(ByteArray::from).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&names, Some(&levels), None).unwrap();
        column.close().unwrap();
        let sexes: Vec<ByteArray> = rows.map(|row| ["M", "F", "?"][row % 3].into()).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&sexes, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

/// Names, whether a sex is known, and how many values could not be read.
fn names(bytes: &[u8]) -> Result<(Vec<String>, Vec<bool>, u64), Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let (mut names, mut sexes) = (Vec::new(), Vec::new());
    let faults = read(file.path(), |block| {
        names.extend((0..block.len()).map(|row| block.full_name.get(row).to_owned()));
        sexes.extend(block.sex.iter().map(Option::is_some));
    })?;
    Ok((names, sexes, faults.count))
}

#[test]
fn texts_are_the_same_however_they_were_written() {
    let plain = || WriterProperties::builder();
    let small = || plain().set_data_page_size_limit(3_000).set_write_batch_size(64);
    let expected: Vec<String> =
        (0..ROWS).map(|row| name(row).unwrap_or_default().trim().to_owned()).collect();
    for (what, properties) in [
        ("one dictionary", plain()),
        ("small pages", small()),
        (
            "second version, Snappy",
            small().set_writer_version(WriterVersion::PARQUET_2_0).set_compression(Compression::SNAPPY),
        ),
        ("a dictionary that overflows", small().set_dictionary_page_size_limit(2_000)),
        ("no dictionary", small().set_dictionary_enabled(false)),
        ("no dictionary, whole pages", plain().set_dictionary_enabled(false)),
        ("differences", plain().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BYTE_ARRAY)),
    ] {
        let (names, sexes, faults) =
            names(&file(properties, |row| name(row).map(String::into_bytes))).unwrap();
        assert_eq!(names, expected, "{what}");
        assert!(sexes.iter().enumerate().all(|(row, known)| *known == (row % 3 < 2)), "{what}");
        assert_eq!(faults, ROWS as u64 / 3, "{what}");
    }
}

#[test]
fn a_text_that_is_not_utf8_is_named_by_its_row() {
    for with_dictionary in [true, false] {
        let properties = WriterProperties::builder().set_dictionary_enabled(with_dictionary);
        let broken = |row: usize| match row {
            12_345 => Some(b"L\xff".to_vec()),
            row => name(row).map(String::into_bytes),
        };
        let error = names(&file(properties, broken)).unwrap_err().to_string();
        assert!(error.contains("row 12346, field `full_name`: not UTF-8"), "{error}");
    }
}

/// Numbers and texts as our own writer puts them. Where the library panics at the damage, that is an error
/// too.
#[test]
fn no_damaged_byte_of_a_small_file_breaks_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("register.parquet");
    let rows = "full_name,birth_day,birth_year\nLý Thị Mẫu,7,1986\nLý Văn Mẫu,,1986\n";
    let mut writer = recordfile::Writer::create(&path).unwrap();
    recordfile::read_csv(rows.as_bytes(), &mut |block| writer.write(&block).is_ok()).unwrap();
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let (mut read, mut refused) = (0, 0);
    // The second half says where all is, and how much of it.
    for at in whole.len() / 2..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        match names(&bytes) {
            Ok((names, sexes, _)) => {
                assert_eq!(sexes.len(), names.len(), "byte {at}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 0 && refused > read / 10, "{read} read, {refused} refused");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_read_or_refused(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let small_pages = WriterProperties::builder().set_data_page_size_limit(3_000);
            file(small_pages.set_write_batch_size(64), |row| name(row % 200).map(String::into_bytes))
        });
        let mut bytes = WHOLE.clone();
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(4));
        }
        if let Ok((names, sexes, _)) = names(&bytes) {
            prop_assert_eq!(names.len(), sexes.len());
        }
    }
}
