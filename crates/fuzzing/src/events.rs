//! Lists of civil events, and scans of papers.

use std::io::BufReader;

use time::macros::date;

use register::lines::{self, MOST_LINE};
use register::scan::{MOST_BYTES, Media};

/// Reads a list to its end and the words of each event. Every line has its number, in order; a fault has a
/// sentence; what was read is written and read again the same.
pub fn list(data: &[u8]) -> bool {
    let (mut from, mut at, mut last, mut sound) = (BufReader::with_capacity(64, data), 0, 0, 0);
    let mut faulty = 0;
    while let Some((line, read)) = lines::next(&mut from, &mut at).expect("memory is read") {
        assert!(line > last && line <= at, "lines are counted");
        last = line;
        match read {
            Ok(event) => {
                let written = serde_json::to_vec(&event).expect("an event is plain data");
                assert!(written.len() > MOST_LINE || lines::parse(&written).as_ref() == Ok(&event));
                let faults = register::faults_of_words(&event, None, date!(2021 - 04 - 20));
                assert!(faults.iter().all(|f| !f.to_string().is_empty() && !f.place().is_empty()));
                sound += usize::from(faults.is_empty());
                faulty += usize::from(!faults.is_empty());
            }
            Err(fault) => {
                assert!(!fault.to_string().is_empty());
                faulty += 1;
            }
        }
    }
    assert!(at <= data.len() + 1);
    sound > 0 && faulty == 0
}

/// Says what a scan is. Nothing that is none of the three types, or too large, is one.
pub fn scan(data: &[u8]) -> bool {
    match Media::of(data) {
        Ok(media) => {
            assert!(!data.is_empty() && data.len() <= MOST_BYTES);
            let begins: &[u8] = match media {
                Media::Jpeg => b"\xff\xd8\xff",
                Media::Png => b"\x89PNG\r\n\x1a\n",
                Media::Pdf => b"%PDF-",
            };
            assert!(data.starts_with(begins));
            true
        }
        Err(_) => false,
    }
}

pub(crate) fn list_seeds() -> Vec<Vec<u8>> {
    let death = concat!(
        r#"{"event_id":"0190f3a0-0000-7000-8000-000000000001","person":"042190012345","kind":"died","#,
        r#""legal_on":"18/04/2021","paper":{"kind":"death_extract","number":"12/2021","#,
        r#""authority":"UBND xã Mẫu","issued_on":"19/04/2021"},"scan":"12.pdf"}"#,
    );
    let correction = concat!(
        r#"{"event_id":"0190f3a0-0000-7000-8000-000000000002","person":"042190012345","kind":"corrected","#,
        r#""since":"always","legal_on":"2021","#,
        r#""changes":[{"field":"permanent","part":"unit","value":"18562"},"#,
        r#"{"field":"ethnicity","value":"02"}],"paper":{"kind":"civil_status","number":"13","#,
        r#""authority":"UBND xã Mẫu","issued_on":"19/04/2021"}}"#,
    );
    let others = concat!(
        r#"{"event_id":"0190f3a0-0000-7000-8000-000000000003","person":"042190012345","kind":"moved","#,
        r#""legal_on":"04/2021","to":{"permanent_unit":"21550","permanent_detail":"Tổ 3"}}"#,
        "\n\n",
        r#"{"event_id":"0190f3a0-0000-7000-8000-000000000004","person":"042190012345","kind":"reversed","#,
        r#""legal_on":"20/04/2021","reverses":"0190f3a0-0000-7000-8000-000000000003"}"#,
    );
    [format!("\u{feff}{death}\r\n"), format!("{death}\n{correction}"), others.to_owned()]
        .map(String::into_bytes)
        .into()
}

pub(crate) fn scan_seeds() -> Vec<Vec<u8>> {
    vec![
        b"\xff\xd8\xff\xe0\x00\x10JFIF".to_vec(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(),
        b"%PDF-1.7\n".to_vec(),
    ]
}
