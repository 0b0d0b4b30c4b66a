use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::row::MAX_FIELD_BYTES;
use domain::form::DC01_COLUMNS;

/// A sound form of an invented woman of Thạch Hà.
const SOUND: [(&str, &str); 20] = [
    ("form_no", "18562-000001"),
    ("pin", "042190012345"),
    ("old_id", "183000001"),
    ("full_name", "NGUYỄN THỊ MẪU"),
    ("sex", "2"),
    ("birth_date", "12/04/1990"),
    ("ethnicity", "01"),
    ("religion", "00"),
    ("nationality", "VNM"),
    ("marital_status", "2"),
    ("birth_registration_unit", "18562"),
    ("native_unit", "445"),
    ("permanent_unit", "18562"),
    ("permanent_detail", "Tổ dân phố 3"),
    ("father_name", "NGUYỄN VĂN MẪU"),
    ("father_pin", "042060000001"),
    ("spouse_name", "TRẦN VĂN THỬ"),
    ("household_no", "445-00017"),
    ("relation_to_head", "02"),
    ("current_unit", ""),
];

fn rules() -> &'static Rules {
    static RULES: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    RULES.get_or_init(|| Rules::new(UnitTable::official(), date!(2021 - 04 - 06)))
}

fn row(changes: &[(&str, &str)]) -> RawRow {
    let mut row = RawRow::default();
    row.clear(1);
    for (index, column) in DC01_COLUMNS.iter().enumerate() {
        let of = |fields: &[(&str, &str)]| {
            fields.iter().rev().find(|(name, _)| name == column).map(|(_, text)| (*text).to_owned())
        };
        row.set(index, &of(changes).or_else(|| of(&SOUND)).unwrap_or_default());
    }
    row
}

fn form(changes: &[(&str, &str)]) -> Form {
    validate(&row(changes), rules()).unwrap()
}

pub(crate) fn record(changes: &[(&str, &str)]) -> ResidentRecord {
    form(changes).record
}

/// The faults as `field code`, in order.
fn check(changes: &[(&str, &str)], expect: &[&str]) {
    let faults = validate(&row(changes), rules()).err().unwrap_or_default();
    let found: Vec<String> =
        faults.iter().map(|fault| format!("{} {}", fault.field, fault.code.as_str())).collect();
    assert_eq!(found, expect, "{changes:?}");
}

#[test]
fn a_sound_form_becomes_a_record() {
    let form = form(&[]);
    assert_eq!(&*form.unit_path, "42/445/18562/");
    assert_eq!(form.notes, Notes::default());
    assert_eq!(form.record.native_place.unwrap().to_string(), "445");
    assert_eq!(form.record.mother, None);
    assert_eq!(record(&[("ethnicity", "1")]), record(&[]));
}

#[test]
fn every_field_says_what_is_wrong_with_it() {
    check(&[("form_no", "")], &["form_no missing"]);
    check(&[("form_no", "số 1")], &["form_no bad_character"]);
    check(&[("form_no", &"1".repeat(33))], &["form_no too_long"]);
    check(&[("pin", "04219001234")], &["pin bad_number"]);
    check(&[("pin", "04219001234O")], &["pin bad_number"]);
    check(&[("old_id", "18300000")], &["old_id bad_number"]);
    check(&[("full_name", " ")], &["full_name missing"]);
    check(&[("full_name", "MẪU 2")], &["full_name bad_character"]);
    check(&[("full_name", &"MẪU ".repeat(40))], &["full_name too_long"]);
    check(&[("sex", "0")], &["sex unknown_code"]);
    check(&[("sex", "Nữ")], &["sex unknown_code"]);
    check(&[("ethnicity", "57")], &["ethnicity unknown_code"]);
    check(&[("religion", "15")], &["religion unknown_code"]);
    check(&[("nationality", "VNX")], &["nationality unknown_code"]);
    check(&[("marital_status", "4")], &["marital_status unknown_code"]);
    check(&[("blood_type", "05")], &["blood_type unknown_code"]);
    check(&[("relation_to_head", "10")], &["relation_to_head unknown_code"]);
    check(&[("native_unit", "4455")], &["native_unit bad_unit"]);
    check(&[("native_unit", "99999")], &["native_unit unknown_unit"]);
    check(&[("permanent_unit", "42")], &["permanent_unit unit_level"]);
    check(&[("current_detail", "Xóm 2")], &["current_unit incomplete"]);
    check(&[("mother_pin", "042160000001")], &["mother_name incomplete"]);
    check(&[("permanent_detail", "a\u{1b}b")], &["permanent_detail bad_character"]);
    check(&[("permanent_detail", &"x".repeat(201))], &["permanent_detail too_long"]);
    let long = "x".repeat(MAX_FIELD_BYTES + 1);
    check(&[("permanent_detail", &long)], &["permanent_detail too_long", "permanent_detail too_long"]);
    check(&[("household_no", "")], &["household_no missing"]);
}

#[test]
fn dates_that_cannot_be_are_refused_and_partial_ones_are_kept() {
    check(&[("birth_date", "30/02/1990")], &["birth_date bad_date"]);
    check(&[("birth_date", "1990-04-12")], &["birth_date bad_date"]);
    check(&[("birth_date", "07/04/2021"), ("pin", "")], &["birth_date birth_in_future"]);
    check(&[("birth_date", "05/2021"), ("pin", "")], &["birth_date birth_in_future"]);
    check(&[("birth_date", "06/04/2021"), ("pin", "")], &[]);
    check(&[("birth_date", "2021"), ("pin", "")], &[]);
    assert_eq!(record(&[("birth_date", "04/1990")]).birth.to_string(), "04/1990");
}

#[test]
fn each_disagreement_of_the_number_is_its_own_fault() {
    check(&[("pin", "042090012345")], &["pin pin_sex"]);
    check(&[("pin", "042191012345")], &["pin pin_birth_year"]);
    check(&[("pin", "001190012345")], &["pin pin_place"]);
    check(&[("pin", "001291012345")], &["pin pin_sex", "pin pin_birth_year", "pin pin_place"]);
    // What is unknown is not compared.
    check(
        &[("birth_date", "x"), ("birth_registration_unit", "")],
        &["birth_date bad_date", "birth_registration_unit missing"],
    );
}

#[test]
fn all_faults_of_a_row_come_together() {
    check(
        &[("full_name", ""), ("sex", "3"), ("permanent_unit", "1856"), ("father_pin", "1")],
        &["full_name missing", "sex unknown_code", "permanent_unit bad_unit", "father_pin bad_number"],
    );
}

#[test]
fn districts_stand_for_unknown_communes_and_for_islands() {
    let unknown = form(&[("permanent_unit", "445")]);
    assert_eq!((&*unknown.unit_path, unknown.notes.commune_unknown), ("42/445/", true));
    let island = form(&[("permanent_unit", "755")]);
    assert_eq!((&*island.unit_path, island.notes.commune_unknown), ("77/755/", false));
}

#[test]
fn decomposed_text_is_composed_and_noticed() {
    use unicode_normalization_of_tests::decompose;
    let form = form(&[("full_name", &decompose("NGUYỄN THỊ MẪU"))]);
    assert!(form.notes.composed);
    assert_eq!(form.record, record(&[]));
    assert_eq!(crate::hash::form_hash(&form.record), crate::hash::form_hash(&record(&[])));
}

/// The few letters that the tests decompose.
mod unicode_normalization_of_tests {
    pub fn decompose(text: &str) -> String {
        text.replace('Ễ', "E\u{302}\u{303}").replace('Ị', "I\u{323}").replace('Ẫ', "A\u{302}\u{303}")
    }
}

#[test]
fn messages_say_what_is_allowed_and_show_no_slipped_name() {
    let message = |changes: &[(&str, &str)]| validate(&row(changes), rules()).unwrap_err()[0].message.clone();
    let ethnicity = message(&[("ethnicity", "57")]);
    assert!(ethnicity.contains("57") && ethnicity.contains("56 codes from 01 (Kinh)"), "{ethnicity}");
    let unit = message(&[("native_unit", "18563")]);
    assert!(unit.contains("18563") && unit.contains("06/04/2021"), "{unit}");
    let nationality = message(&[("nationality", "VNN")]);
    assert!(nationality.contains("VNM (Việt Nam)"), "{nationality}");
    for (field, _) in SOUND {
        let slipped = "TRẦN THỊ BÍMẬT 042190099999 \u{7}";
        for fault in validate(&row(&[(field, slipped)]), rules()).unwrap_err() {
            assert!(!fault.message.contains("BÍMẬT") && !fault.message.contains("0421900"), "{fault}");
        }
    }
}

#[test]
fn no_code_is_offered_as_the_nearest_where_codes_have_no_order() {
    let message =
        |field, text: &str| validate(&row(&[(field, text)]), rules()).unwrap_err()[0].message.clone();
    // What is unknown or mistyped leaves all codes open, each with its meaning.
    for text in ["3", "0", "9", "nam"] {
        let sex = message("sex", text);
        assert!(sex.contains("1 (Nam), 2 (Nữ): write the code") && !sex.contains("0 (Chưa"), "{sex}");
    }
    let marital = message("marital_status", "7");
    assert!(marital.contains("1 (Chưa kết hôn), 2 (") && marital.contains("3 (Đã ly hôn"), "{marital}");
    let blood = message("blood_type", "5");
    assert!(blood.contains("01 (A), 02 (B), 03 (AB), 04 (O)"), "{blood}");
    let relation = message("relation_to_head", "10");
    assert!(relation.contains("09 (Anh/chị/em), 99 (Khác)"), "{relation}");
    let wrong = [
        ("ethnicity", "57"),
        ("religion", "98"),
        ("sex", "3"),
        ("nationality", "VNN"),
        ("marital_status", "7"),
        ("blood_type", "5"),
        ("relation_to_head", "10"),
        ("native_unit", "18563"),
        ("permanent_unit", "99999"),
    ];
    for (field, text) in wrong {
        let message = message(field, text);
        assert!(!message.contains("nearest") && !message.contains("Thạch Hà"), "{field}: {message}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_rules(field in 0usize..25, text: String, code in "[0-9]{0,13}") {
        for text in [text, code] {
            let _ = validate(&row(&[(DC01_COLUMNS[field], &text)]), rules());
        }
    }
}
