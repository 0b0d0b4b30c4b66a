use proptest::prelude::*;

use super::*;

const RECORD: &str = "<CongDan><SoDinhDanh>042190012345</SoDinhDanh>\
    <HoVaTen><Ho>NGUYỄN</Ho><ChuDem>THỊ &amp; B</ChuDem><Ten>M&#x1EAA;U</Ten></HoVaTen><GioiTinh>2</GioiTinh>\
    <DanToc><MaDanToc>01</MaDanToc><TenGoi>Kinh</TenGoi></DanToc>\
    <NgayThangNamSinh><NgayThangNam>19900412</NgayThangNam></NgayThangNamSinh>\
    <ThuongTru><MaDonViHanhChinh>18562</MaDonViHanhChinh><ChiTiet><![CDATA[Tổ <3>]]></ChiTiet></ThuongTru>\
    <Cha><SoDinhDanh>042060000001</SoDinhDanh><HoVaTen><Ho>NGUYỄN</Ho><Ten>MẪU</Ten></HoVaTen></Cha>\
    <f:SoPhieu> 18562-000001 </f:SoPhieu><other xmlns='urn:x'><SoPhieu>no</SoPhieu></other></CongDan>\n";

fn file(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CongdanCollection xmlns=\"{QCVN_109_NAMESPACE}\" \
         xmlns:f=\"{FORM_NAMESPACE}\"><GhiChu>x</GhiChu><SoCongDan>1</SoCongDan>\n{body}\
         </CongdanCollection>\n"
    )
}

/// The stated columns of each record.
fn read(text: &str) -> Result<Vec<Vec<(String, String)>>, Error> {
    let mut rows = XmlRows::new(text.as_bytes(), 0);
    let (mut row, mut found) = (RawRow::default(), Vec::new());
    while rows.next(&mut row)? {
        found.push(row.stated().map(|(name, text)| (name.to_owned(), text.to_owned())).collect());
    }
    Ok(found)
}

#[test]
fn a_record_becomes_the_columns_of_the_form() {
    let rows = read(&file(&RECORD.repeat(3))).unwrap();
    assert_eq!(rows.len(), 3);
    let expected = [
        ("form_no", "18562-000001"),
        ("pin", "042190012345"),
        ("full_name", "NGUYỄN THỊ & B MẪU"),
        ("sex", "2"),
        ("birth_date", "12/04/1990"),
        ("ethnicity", "01"),
        ("permanent_unit", "18562"),
        ("permanent_detail", "Tổ <3>"),
        ("father_name", "NGUYỄN MẪU"),
        ("father_pin", "042060000001"),
    ];
    assert_eq!(rows[2], expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn birth_dates_come_in_parts() {
    for (parts, expected) in [
        (["19900412", "", ""], "12/04/1990"),
        (["19900230", "", ""], "30/02/1990"),
        (["", "1990", ""], "1990"),
        (["", "1990", "4"], "4/1990"),
        (["", "", ""], ""),
        (["", "", "4"], "4/"),
        (["1990", "", ""], "1990"),
        (["19900412x", "", ""], "19900412x"),
    ] {
        assert_eq!(birth_date(parts), expected);
    }
}

#[test]
fn an_element_that_stands_twice_is_a_fault_of_its_row() {
    let text = file("<CongDan><GioiTinh>1</GioiTinh><GioiTinh>2</GioiTinh></CongDan>");
    let mut rows = XmlRows::new(text.as_bytes(), 0);
    let mut row = RawRow::default();
    assert!(rows.next(&mut row).unwrap());
    assert_eq!(
        row.faults.iter().map(|fault| (fault.field, fault.code)).collect::<Vec<_>>(),
        [("sex", FaultCode::Repeated)]
    );
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_told() {
    let whole = file(&RECORD.repeat(2));
    let end = whole.trim_end().len();
    for cut in whole.char_indices().map(|(at, _)| at).filter(|at| (1..end).contains(at)) {
        let error = read(&whole[..cut]).unwrap_err();
        assert!(matches!(error, Error::XmlTruncated { .. } | Error::Xml { .. }), "{cut}: {error}");
    }
    let Err(Error::XmlTruncated { byte, rows: 1 }) = read(&whole[..end - 60]) else { panic!() };
    assert!(byte <= end as u64);
}

#[test]
fn traps_are_refused() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;&lol;\">]>\n";
    let bomb = file(RECORD).replacen("<Cong", &format!("{laughs}<Cong"), 1);
    assert!(matches!(read(&bomb), Err(Error::XmlRefused { what: "a document type (DOCTYPE)", .. })));
    let entity = file("<CongDan><GioiTinh>&lol;</GioiTinh></CongDan>");
    assert!(matches!(read(&entity), Err(Error::XmlRefused { .. })));
    let control = file("<CongDan><GioiTinh>&#1;</GioiTinh></CongDan>");
    assert!(matches!(read(&control), Err(Error::XmlRefused { .. })));
    let attribute = file(&format!("<CongDan a=\"{}\"/>", "x".repeat(200_000)));
    assert!(matches!(read(&attribute), Err(Error::XmlRefused { .. })));
    let long = file(&format!("<CongDan><GhiChu>{}</GhiChu></CongDan>", "x<b/>".repeat(40_000)));
    assert!(matches!(read(&long), Err(Error::XmlRefused { .. })));
    for deep in [file(&"<CongDan>".repeat(50)), file(&"<GhiChu>".repeat(50))] {
        assert!(matches!(read(&deep), Err(Error::XmlRefused { what: "nesting deeper than 12", .. })));
    }
    let encoding = file(RECORD).replacen("UTF-8", "windows-1258", 1);
    assert!(matches!(read(&encoding), Err(Error::XmlRefused { .. })));
}

#[test]
fn what_is_not_ours_is_named() {
    assert!(matches!(read("<html><CongDan/></html>"), Err(Error::XmlElement { .. })));
    assert!(matches!(
        read("<CongdanCollection><CongDan/></CongdanCollection>"),
        Err(Error::XmlElement { .. })
    ));
    let unknown = file("<CongDan><f:SoNha>1</f:SoNha></CongDan>");
    assert!(matches!(read(&unknown), Err(Error::XmlElement { name, .. }) if name == "SoNha"));
    assert!(matches!(read(&file("<CongDan><a></b></CongDan>")), Err(Error::Xml { .. })));
    assert!(matches!(read(&format!("{}<x/>", file(RECORD))), Err(Error::Xml { .. })));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text: String, cut in 0usize..1500) {
        let _ = read(&text);
        let whole = file(RECORD);
        let at = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
        let _ = read(&format!("{}{text}{}", &whole[..at], &whole[at..]));
    }
}
