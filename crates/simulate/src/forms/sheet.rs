//! Writes the files: one row after the other, under a temporary name, renamed when complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use quick_xml::escape::partial_escape;
use time::Date;

use super::FormTruth;
use super::row::{Column, FormRow};
use crate::error::SimulateError;
use domain::UnitCode;
use domain::form::{DC01_COLUMNS, FORM_NAMESPACE, QCVN_109_NAMESPACE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Xml,
}

/// Writes the forms of one commune and returns the file's path.
pub(super) fn write(
    folder: &Path,
    unit: UnitCode,
    format: Format,
    as_of: Date,
    rows: impl Iterator<Item = FormRow>,
    count: usize,
) -> Result<PathBuf, SimulateError> {
    let extension = match format {
        Format::Csv => "csv",
        Format::Xml => "xml",
    };
    write_file(folder, &format!("{unit}.{extension}"), |out| match format {
        Format::Csv => write_csv(out, rows),
        Format::Xml => write_xml(out, as_of, rows, count),
    })
}

/// Writes forms of several communes into one file.
pub(super) fn write_whole(path: &Path, rows: impl Iterator<Item = FormRow>) -> Result<(), SimulateError> {
    let (folder, name) = (path.parent().unwrap_or(Path::new(".")), path.file_name().unwrap_or_default());
    write_file(folder, &name.to_string_lossy(), |out| write_csv(out, rows)).map(drop)
}

/// `form_no,truth_id,fault,duplicate_of,variation`, one line per form in the order of the files.
pub(super) fn write_truth(directory: &Path, forms: &[FormTruth]) -> Result<PathBuf, SimulateError> {
    write_file(directory, "truth.csv", |out| {
        writeln!(out, "form_no,truth_id,fault,duplicate_of,variation")?;
        for form in forms {
            let fault = form.fault.map_or("", |fault| fault.as_str());
            write!(out, "{},{},{fault},", form.form_no, form.truth)?;
            match form.duplicate_of {
                Some((first, variation)) => writeln!(out, "{first},{}", variation.as_str())?,
                None => writeln!(out, ",")?,
            }
        }
        Ok(())
    })
}

fn write_file(
    folder: &Path,
    name: &str,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<PathBuf, SimulateError> {
    let path = folder.join(name);
    let part = folder.join(format!(".{name}.part"));
    let written = File::create(&part).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 16, file);
        fill(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&part, &path)
    });
    match written {
        Ok(()) => Ok(path),
        Err(source) => Err(SimulateError::Write { path, source }),
    }
}

fn write_csv(out: &mut impl Write, rows: impl Iterator<Item = FormRow>) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out);
    csv.write_record(DC01_COLUMNS)?;
    for row in rows {
        csv.write_record(row.fields().map(|(_, text)| text))?;
    }
    csv.flush()
}

fn write_xml(
    out: &mut impl Write,
    as_of: Date,
    rows: impl Iterator<Item = FormRow>,
    count: usize,
) -> io::Result<()> {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<CongdanCollection xmlns="{QCVN_109_NAMESPACE}" xmlns:f="{FORM_NAMESPACE}">"#)?;
    writeln!(out, "<GhiChu>DC01</GhiChu>")?;
    let (year, month, day) = as_of.to_calendar_date();
    writeln!(out, "<ThoiDiemDuLieu>{year:04}-{:02}-{day:02}T00:00:00+07:00</ThoiDiemDuLieu>", month as u8)?;
    writeln!(out, "<SoCongDan>{count}</SoCongDan>")?;
    for row in rows {
        write_citizen(out, &row)?;
    }
    writeln!(out, "</CongdanCollection>")
}

/// The elements come in the order of the standard; what it has no element for comes last.
fn write_citizen(out: &mut impl Write, row: &FormRow) -> io::Result<()> {
    write!(out, "<CongDan>")?;
    element(out, "SoDinhDanh", row.get(Column::Pin))?;
    element(out, "SoCMND", row.get(Column::OldId))?;
    name(out, row.get(Column::FullName))?;
    element(out, "GioiTinh", row.get(Column::Sex))?;
    nested(out, "DanToc", "MaDanToc", row.get(Column::Ethnicity))?;
    nested(out, "TonGiao", "MaTonGiao", row.get(Column::Religion))?;
    element(out, "TinhTrangHonNhan", row.get(Column::MaritalStatus))?;
    element(out, "NhomMau", row.get(Column::BloodType))?;
    birth(out, row.get(Column::BirthDate))?;
    place(out, "NoiDangKyKhaiSinh", row.get(Column::BirthRegistrationUnit), "")?;
    place(out, "QueQuan", row.get(Column::NativeUnit), "")?;
    place(out, "ThuongTru", row.get(Column::PermanentUnit), row.get(Column::PermanentDetail))?;
    place(out, "NoiOHienTai", row.get(Column::CurrentUnit), row.get(Column::CurrentDetail))?;
    element(out, "QuocTich", row.get(Column::Nationality))?;
    relative(out, "Cha", row.get(Column::FatherName), row.get(Column::FatherPin))?;
    relative(out, "Me", row.get(Column::MotherName), row.get(Column::MotherPin))?;
    relative(out, "VoChong", row.get(Column::SpouseName), row.get(Column::SpousePin))?;
    element(out, "f:SoPhieu", row.get(Column::FormNo))?;
    element(out, "f:SoHo", row.get(Column::HouseholdNo))?;
    element(out, "f:QuanHeVoiChuHo", row.get(Column::RelationToHead))?;
    writeln!(out, "</CongDan>")
}

fn element(out: &mut impl Write, tag: &str, text: &str) -> io::Result<()> {
    if text.is_empty() { Ok(()) } else { write!(out, "<{tag}>{}</{tag}>", partial_escape(text)) }
}

fn nested(out: &mut impl Write, outer: &str, inner: &str, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    write!(out, "<{outer}>")?;
    element(out, inner, text)?;
    write!(out, "</{outer}>")
}

/// Family name, middle names, given name: the first word, what is between, the last word.
fn name(out: &mut impl Write, full: &str) -> io::Result<()> {
    if full.is_empty() {
        return Ok(());
    }
    let (family, rest) = full.split_once(' ').unwrap_or((full, ""));
    let (middle, given) = rest.rsplit_once(' ').unwrap_or(("", rest));
    write!(out, "<HoVaTen>")?;
    element(out, "Ho", family)?;
    element(out, "ChuDem", middle)?;
    element(out, "Ten", given)?;
    write!(out, "</HoVaTen>")
}

/// A date that is not of one of the three shapes is written as it stands, so that its error arrives.
fn birth(out: &mut impl Write, date: &str) -> io::Result<()> {
    if date.is_empty() {
        return Ok(());
    }
    write!(out, "<NgayThangNamSinh>")?;
    let parts: Vec<&str> = date.split('/').collect();
    match parts[..] {
        [day, month, year] => write!(out, "<NgayThangNam>{year}{month}{day}</NgayThangNam>")?,
        [month, year] => write!(out, "<Nam>{year}</Nam><Thang>{month}</Thang>")?,
        _ => element(out, "Nam", date)?,
    }
    write!(out, "</NgayThangNamSinh>")
}

fn place(out: &mut impl Write, tag: &str, unit: &str, detail: &str) -> io::Result<()> {
    if unit.is_empty() && detail.is_empty() {
        return Ok(());
    }
    write!(out, "<{tag}>")?;
    element(out, "MaDonViHanhChinh", unit)?;
    element(out, "ChiTiet", detail)?;
    write!(out, "<QuocGia>VNM</QuocGia></{tag}>")
}

fn relative(out: &mut impl Write, tag: &str, full_name: &str, pin: &str) -> io::Result<()> {
    if full_name.is_empty() && pin.is_empty() {
        return Ok(());
    }
    write!(out, "<{tag}>")?;
    element(out, "SoDinhDanh", pin)?;
    name(out, full_name)?;
    write!(out, "</{tag}>")
}
