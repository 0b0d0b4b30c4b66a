//! Invented forms, and a database and directory for one test.

use std::ops::ControlFlow;
use std::path::PathBuf;

use time::macros::datetime;

use collect::{Error, ImportOptions, ImportSummary, Progress};
use domain::clock::VirtualClock;
use domain::form::{DC01_COLUMNS, FORM_NAMESPACE, QCVN_109_NAMESPACE, column};
use testkit::FreshDatabase;

pub struct Bench {
    pub db: FreshDatabase,
    dir: tempfile::TempDir,
    clock: VirtualClock,
}

pub fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

impl Bench {
    pub async fn new() -> Bench {
        let clock = VirtualClock::at(datetime!(2021-04-06 01:00 UTC));
        Bench { db: testkit::fresh_database().await, dir: tempfile::tempdir().unwrap(), clock }
    }

    pub async fn import(&self, name: &str, bytes: &[u8]) -> Result<ImportSummary, Error> {
        self.import_with(name, bytes, 8_192, &mut go_on).await
    }

    pub async fn import_with(
        &self,
        name: &str,
        bytes: &[u8],
        chunk_rows: usize,
        progress: &mut (dyn FnMut(&Progress) -> ControlFlow<()> + Send),
    ) -> Result<ImportSummary, Error> {
        let path: PathBuf = self.dir.path().join(name);
        if std::fs::read(&path).ok().as_deref() != Some(bytes) {
            std::fs::write(&path, bytes).unwrap();
        }
        let options = ImportOptions { chunk_rows, ..ImportOptions::new(self.dir.path().join("rejects")) };
        collect::import(&self.db, &path, &options, &self.clock, progress).await
    }

    /// Rows of a table, with the rest of the query behind its name.
    pub async fn count(&self, from: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {from}"));
        sqlx::query_scalar(sql).fetch_one(self.db.admin()).await.unwrap()
    }

    /// Everyone in the register, with all that makes two registers the same.
    #[allow(dead_code, reason = "not every test file compares registers")]
    pub async fn people(&self) -> Vec<String> {
        let sql = "SELECT to_jsonb(p)::text FROM person p ORDER BY person_id";
        sqlx::query_scalar(sql).fetch_all(self.db.admin()).await.unwrap()
    }
}

/// A form of 25 texts.
#[derive(Clone)]
pub struct Form([String; DC01_COLUMNS.len()]);

impl Form {
    /// A sound form that differs from every other in its numbers and name.
    pub fn number(n: u32) -> Form {
        let form = Form(std::array::from_fn(|_| String::new()));
        let letters =
            |n: u32| -> String { [n / 26 % 26, n % 26].map(|l| char::from(b'A' + l as u8)).iter().collect() };
        form.with("form_no", &format!("18562-{n:06}"))
            .with("pin", &format!("042190{n:06}"))
            .with("full_name", &format!("NGUYỄN THỊ MẪU {}", letters(n)))
            .with("sex", "2")
            .with("birth_date", "12/04/1990")
            .with("ethnicity", "01")
            .with("religion", "00")
            .with("nationality", "VNM")
            .with("birth_registration_unit", "18562")
            .with("native_unit", "18562")
            .with("permanent_unit", "18562")
            .with("permanent_detail", "Tổ dân phố 3")
            .with("father_name", "NGUYỄN VĂN MẪU")
            .with("household_no", &format!("445-{:05}", n / 4))
            .with("relation_to_head", "03")
    }

    pub fn with(mut self, name: &str, text: &str) -> Form {
        self.0[column(name).unwrap()] = text.to_owned();
        self
    }

    pub fn get(&self, name: &str) -> String {
        self.0[column(name).unwrap()].clone()
    }
}

pub fn csv(forms: &[Form]) -> Vec<u8> {
    let quoted = |text: &String| match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.clone(),
    };
    let rows = forms.iter().map(|form| form.0.iter().map(quoted).collect::<Vec<_>>().join(","));
    let mut text = format!("\u{feff}{}\n", DC01_COLUMNS.join(","));
    rows.for_each(|row| text.push_str(&format!("{row}\n")));
    text.into_bytes()
}

pub fn xml(forms: &[Form]) -> Vec<u8> {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CongdanCollection xmlns=\"{QCVN_109_NAMESPACE}\" \
         xmlns:f=\"{FORM_NAMESPACE}\"><SoCongDan>{}</SoCongDan>\n",
        forms.len()
    );
    for form in forms {
        text.push_str("<CongDan>");
        for (path, name) in [
            ("SoDinhDanh", "pin"),
            ("HoVaTen/Ten", "full_name"),
            ("GioiTinh", "sex"),
            ("DanToc/MaDanToc", "ethnicity"),
            ("TonGiao/MaTonGiao", "religion"),
            ("QuocTich", "nationality"),
            ("NgayThangNamSinh/NgayThangNam", "birth_date"),
            ("NoiDangKyKhaiSinh/MaDonViHanhChinh", "birth_registration_unit"),
            ("QueQuan/MaDonViHanhChinh", "native_unit"),
            ("Cha/HoVaTen/Ten", "father_name"),
            ("f:SoPhieu", "form_no"),
            ("f:SoHo", "household_no"),
            ("f:QuanHeVoiChuHo", "relation_to_head"),
        ] {
            let value = form.get(name);
            let value = match name {
                "birth_date" => value.split('/').rev().collect::<String>(),
                _ => value.replace('&', "&amp;").replace('<', "&lt;"),
            };
            if value.is_empty() {
                continue;
            }
            let tags: Vec<&str> = path.split('/').collect();
            tags.iter().for_each(|tag| text.push_str(&format!("<{tag}>")));
            text.push_str(&value);
            tags.iter().rev().for_each(|tag| text.push_str(&format!("</{tag}>")));
        }
        let (unit, detail) = (form.get("permanent_unit"), form.get("permanent_detail"));
        text.push_str(&format!(
            "<ThuongTru><MaDonViHanhChinh>{unit}</MaDonViHanhChinh><ChiTiet>{detail}</ChiTiet></ThuongTru>"
        ));
        text.push_str("</CongDan>\n");
    }
    text.push_str("</CongdanCollection>\n");
    text.into_bytes()
}
