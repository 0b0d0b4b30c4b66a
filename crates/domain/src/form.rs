//! The population collection form DC01 as a file: the columns of the CSV table and the elements of the QCVN
//! 109:2017 XML, with what each holds.
//!
//! One file holds the forms of one commune (or of one island district), in either format. A CSV file is UTF-8
//! with the header [`DC01_COLUMNS`] in this order, commas, RFC 4180 quoting and line feeds. An XML file is
//! one `CongdanCollection` in [`QCVN_109_NAMESPACE`]; the three things the standard has no element for are in
//! [`FORM_NAMESPACE`].
//!
//! In both, an empty or absent field means "not stated". Dates: see the column. Codes: [`crate::codes`].

/// XML namespace of the national exchange schema (QCVN 109:2017/BTTTT).
pub const QCVN_109_NAMESPACE: &str = "http://www.mic.gov.vn/dancu/1.0";

/// XML namespace of the elements that a DC01 form needs and QCVN 109 lacks: `SoPhieu`, `SoHo`,
/// `QuanHeVoiChuHo`.
pub const FORM_NAMESPACE: &str = "urn:dancu:dc01:1";

/// Whether a form without this field is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Mandatory,
    Optional,
}

/// One field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormColumn {
    /// CSV header.
    pub name: &'static str,
    /// Elements below `CongDan`, with the prefix `f:` for [`FORM_NAMESPACE`]. Several paths are the parts of
    /// one column.
    pub xml: &'static str,
    pub presence: Presence,
    /// What it holds, and in which shape.
    pub meaning: &'static str,
}

const fn must(name: &'static str, xml: &'static str, meaning: &'static str) -> FormColumn {
    FormColumn { name, xml, presence: Presence::Mandatory, meaning }
}

const fn may(name: &'static str, xml: &'static str, meaning: &'static str) -> FormColumn {
    FormColumn { name, xml, presence: Presence::Optional, meaning }
}

/// The form, field by field, in the order of the CSV columns.
pub const DC01: [FormColumn; 25] = [
    must("form_no", "f:SoPhieu", "number of the form, unique among all forms; at most 32 characters"),
    may("pin", "SoDinhDanh", "personal identification number, 12 digits"),
    may("old_id", "SoCMND", "identity card number of the old kind, 9 digits"),
    must(
        "full_name",
        "HoVaTen/Ho HoVaTen/ChuDem HoVaTen/Ten",
        "name in capitals as on the birth certificate",
    ),
    must("sex", "GioiTinh", "code: 1 male, 2 female"),
    must(
        "birth_date",
        "NgayThangNamSinh/NgayThangNam NgayThangNamSinh/Nam NgayThangNamSinh/Thang",
        "CSV: dd/mm/yyyy, mm/yyyy or yyyy. XML: NgayThangNam as yyyymmdd when the whole date is known, \
         otherwise Nam (yyyy) and, when known, Thang (mm)",
    ),
    must("ethnicity", "DanToc/MaDanToc", "code 01 to 56"),
    must("religion", "TonGiao/MaTonGiao", "code 00 (none) to 14"),
    must("nationality", "QuocTich", "ISO 3166-1 alpha-3"),
    may("marital_status", "TinhTrangHonNhan", "code 0 to 3"),
    may("blood_type", "NhomMau", "code 00 to 04; only on request and with proof"),
    must(
        "birth_registration_unit",
        "NoiDangKyKhaiSinh/MaDonViHanhChinh",
        "unit code of 2, 3 or 5 digits where the birth was registered; its province begins the PIN",
    ),
    must("native_unit", "QueQuan/MaDonViHanhChinh", "unit code of 2, 3 or 5 digits of the native place"),
    must("permanent_unit", "ThuongTru/MaDonViHanhChinh", "unit code, 5 digits, or 3 for an island district"),
    may("permanent_detail", "ThuongTru/ChiTiet", "house, street, group or hamlet"),
    may(
        "current_unit",
        "NoiOHienTai/MaDonViHanhChinh",
        "unit code; empty when it is the permanent residence",
    ),
    may("current_detail", "NoiOHienTai/ChiTiet", "house, street, group or hamlet"),
    may("father_name", "Cha/HoVaTen", "name as full_name, with the same three parts in XML"),
    may("father_pin", "Cha/SoDinhDanh", "12 digits"),
    may("mother_name", "Me/HoVaTen", "name as full_name, with the same three parts in XML"),
    may("mother_pin", "Me/SoDinhDanh", "12 digits"),
    may("spouse_name", "VoChong/HoVaTen", "name as full_name, with the same three parts in XML"),
    may("spouse_pin", "VoChong/SoDinhDanh", "12 digits"),
    must(
        "household_no",
        "f:SoHo",
        "number of the household book, unique within the district; at most 32 characters",
    ),
    must("relation_to_head", "f:QuanHeVoiChuHo", "code 01 (head) to 09, 99 other"),
];

/// The CSV header.
pub const DC01_COLUMNS: [&str; DC01.len()] = {
    let mut names = [""; DC01.len()];
    let mut index = 0;
    while index < DC01.len() {
        names[index] = DC01[index].name;
        index += 1;
    }
    names
};

/// Position of a column in a row of the form, or `None` for an unknown name.
pub fn column(name: &str) -> Option<usize> {
    DC01_COLUMNS.iter().position(|column| *column == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found_at_their_place() {
        for (index, form_column) in DC01.iter().enumerate() {
            assert_eq!(column(form_column.name), Some(index));
            assert!(!form_column.xml.is_empty() && !form_column.meaning.is_empty(), "{}", form_column.name);
        }
        assert_eq!(column("phone"), None);
    }
}
