//! What is written is read, what is broken is named, and no bytes make the reader panic.

use proptest::prelude::*;

use linkage::Sex;
use linkage::batch::Block;
use recordfile::{Error, Faults, Writer, read, read_csv};

fn block() -> Block {
    let mut block = Block::default();
    for (id, name, father) in [("a-1", "Nguyễn Văn \"Tý\"", "Nguyễn Văn Sửu"), ("b,2", "Trần Thị Dần", "")]
    {
        block.rec_id.push(id);
        block.full_name.push(name);
        block.father_name.push(father);
        for texts in [
            &mut block.ethnicity,
            &mut block.birth_province,
            &mut block.hometown,
            &mut block.residence,
            &mut block.address_line,
            &mut block.mother_name,
        ] {
            texts.push("");
        }
    }
    block.sex = vec![Some(Sex::Male), None];
    block.birth = vec![(7, 11, 1986), (0, 0, 1950)];
    block
}

#[test]
fn both_formats_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["register.csv", "register.parquet"] {
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path).unwrap();
        writer.write(&block()).unwrap();
        writer.write(&block()).unwrap();
        writer.finish().unwrap();
        let mut rows = Vec::new();
        let faults = read(&path, |part| {
            for row in 0..part.len() {
                let texts = [&part.rec_id, &part.full_name, &part.father_name, &part.residence];
                rows.push((texts.map(|text| text.get(row).to_owned()), part.sex[row], part.birth[row]));
            }
        });
        assert_eq!(faults.unwrap(), Faults::default());
        let texts = |texts: [&str; 4]| texts.map(str::to_owned);
        let first =
            (texts(["a-1", "Nguyễn Văn \"Tý\"", "Nguyễn Văn Sửu", ""]), Some(Sex::Male), (7, 11, 1986));
        let second = (texts(["b,2", "Trần Thị Dần", "", ""]), None, (0, 0, 1950));
        assert_eq!(rows, [first.clone(), second.clone(), first, second], "{name}");
    }
}

fn rows(text: &[u8]) -> Result<(Vec<Block>, Faults), Error> {
    let mut blocks = Vec::new();
    let faults = read_csv(text, &mut |block| {
        blocks.push(block);
        true
    })?;
    Ok((blocks, faults))
}

#[track_caller]
fn check_error(text: &[u8], expected: &str) {
    let error = rows(text).expect_err("the text is broken").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn errors_name_row_and_field() {
    check_error(b"name;age\nA;3\n", "none of the columns rec_id, full_name");
    check_error(b"full_name,Full_Name\nA,B\n", "`full_name` twice");
    check_error(b"rec_id,full_name\n1,A\n2\n", "row 2: 1 fields where the header has 2");
    check_error(b"rec_id,full_name\n1,A\n2,\xff\n", "row 2, field `full_name`: not UTF-8");
}

#[test]
fn values_that_cannot_be_read_are_counted_and_missing() {
    let (blocks, faults) =
        rows("\u{feff}full_name;birth_year;sex;note\nA;1980.0;Nữ;x\nB;19x0;?;y\n".as_bytes()).unwrap();
    assert_eq!(faults, Faults { count: 2, first: Some((2, "sex")) });
    assert_eq!(
        blocks[0].rec_id.iter().collect::<Vec<_>>(),
        ["1", "2"],
        "rows are numbered where no rec_id is"
    );
    assert_eq!(blocks[0].birth, [(0, 0, 1980), (0, 0, 0)]);
    assert_eq!(blocks[0].sex, [Some(Sex::Female), None]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"rec_id,full_name,birth_day,sex\n".to_vec();
        text.extend(tail);
        if let Ok((blocks, _)) = rows(&text) {
            prop_assert!(blocks.iter().all(|block| block.full_name.len() == block.rec_id.len()));
        }
    }
}
