//! Files of population forms.

use time::macros::date;

use crate::with_file;
use domain::form::{DC01_COLUMNS, FORM_NAMESPACE, QCVN_109_NAMESPACE};

/// Reads and judges the whole file. A refusal has a sentence; a sound row has no fault.
pub fn check(data: &[u8]) -> bool {
    let checked = with_file(data, |path| collect::check_file(path, date!(2021 - 04 - 06)));
    match checked {
        Ok(check) => {
            assert!(check.sound <= check.rows);
            let faulty = check.rows - check.sound;
            assert!(check.faults.values().sum::<u64>() >= faulty, "each faulty row has a fault");
            assert!(check.first.iter().all(|(row, fault)| *row >= 1 && !fault.message.is_empty()));
            faulty == 0 && check.rows > 0
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// A sound form of an invented woman of Thạch Hà.
const SOUND: [(&str, &str); 14] = [
    ("form_no", "18562-000001"),
    ("pin", "042190012345"),
    ("full_name", "NGUYỄN THỊ MẪU"),
    ("sex", "2"),
    ("birth_date", "12/04/1990"),
    ("ethnicity", "01"),
    ("religion", "00"),
    ("nationality", "VNM"),
    ("birth_registration_unit", "18562"),
    ("native_unit", "445"),
    ("permanent_unit", "18562"),
    ("permanent_detail", "Tổ dân phố 3"),
    ("household_no", "445-00017"),
    ("relation_to_head", "02"),
];

pub(crate) fn csv_seeds() -> Vec<Vec<u8>> {
    let value = |column: &&str| SOUND.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value);
    let row: Vec<&str> = DC01_COLUMNS.iter().map(value).collect();
    let plain = format!("{}\n{}\n", DC01_COLUMNS.join(","), row.join(","));
    let quoted: Vec<String> = row.iter().map(|value| format!("\"{value}\"")).collect();
    let quoted = format!("\u{feff}{}\r\n{}\r\n", DC01_COLUMNS.join(";"), quoted.join(";"));
    vec![plain.into_bytes(), quoted.into_bytes()]
}

pub(crate) fn xml_seeds() -> Vec<Vec<u8>> {
    let file = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CongdanCollection xmlns=\"{QCVN_109_NAMESPACE}\" \
         xmlns:f=\"{FORM_NAMESPACE}\"><SoCongDan>1</SoCongDan>\n<CongDan>\
         <SoDinhDanh>042190012345</SoDinhDanh><HoVaTen><Ho>NGUYỄN</Ho><ChuDem>THỊ</ChuDem>\
         <Ten>M&#x1EAA;U</Ten></HoVaTen><GioiTinh>2</GioiTinh>\
         <DanToc><MaDanToc>01</MaDanToc></DanToc><TonGiao><MaTonGiao>00</MaTonGiao></TonGiao>\
         <QuocTich>VNM</QuocTich><NgayThangNamSinh><NgayThangNam>19900412</NgayThangNam></NgayThangNamSinh>\
         <NoiDangKyKhaiSinh><MaDonViHanhChinh>18562</MaDonViHanhChinh></NoiDangKyKhaiSinh>\
         <QueQuan><MaDonViHanhChinh>445</MaDonViHanhChinh></QueQuan>\
         <ThuongTru><MaDonViHanhChinh>18562</MaDonViHanhChinh><ChiTiet><![CDATA[Tổ 3]]></ChiTiet></ThuongTru>\
         <f:SoPhieu>18562-000001</f:SoPhieu><f:SoHo>445-00017</f:SoHo>\
         <f:QuanHeVoiChuHo>02</f:QuanHeVoiChuHo></CongDan>\n</CongdanCollection>\n"
    );
    vec![file.into_bytes()]
}
