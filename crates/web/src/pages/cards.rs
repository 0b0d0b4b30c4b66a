//! One card: both sides as they are printed, what is in the chip, and how the card stands.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use base64ct::{Base64, Encoding};

use crate::error::Error;
use crate::extract::Path;
use crate::frame::{page, unit_full};
use crate::pages::people::card_class;
use crate::pages::{id, not_shown, note_read};
use crate::session::{Who, hex};
use crate::state::AppState;
use card::artwork::{self, Marking};
use card::data::{BirthDate, CardData, CardFields, Expiry, Sex, parse_printed};
use card::lds::dg13::{Dg13, FieldNumber};
use card::lds::{DataGroup, dg1, dg2};
use card::sod::Sod;
use domain::id::{ApplicationId, CardId};
use enrol::desks::{Asker, Page as Shows, Photo};
use store::cards::pages::CardPage;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::record::Fact;

#[derive(Template)]
#[template(path = "card.html")]
struct Page {
    ui: Frame,
    number: String,
    state: &'static str,
    state_class: &'static str,
    application_href: String,
    person_href: String,
    facts: Vec<Fact>,
    /// SVG of both sides; empty until the chip data exist.
    front: String,
    back: String,
    /// Whoever holds the keys does not answer now.
    photo_away: bool,
    chip: Vec<ChipFile>,
    mrz: Vec<String>,
    qr: String,
}

struct ChipFile {
    name: String,
    size: String,
    digest: String,
    /// How it agrees with the security object; empty where nothing can be said.
    verdict: &'static str,
    class: &'static str,
}

/// A photo larger than this would make the page too heavy; the enrolment profile keeps photos well below it.
pub(crate) const MOST_PHOTO_BYTES: usize = 40 * 1024;

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(card_id): Path,
) -> Result<Response, Error> {
    let card_id: CardId = id(&card_id)?;
    let subject = format!("card:{card_id}");
    let mut tx = state.db.scoped(&who.scope).await?;
    let found = store::cards::pages::card(&mut tx, card_id).await?;
    drop(tx);
    let Some(row) = found else { return Err(not_shown(&state, &who, subject).await) };
    note_read(&state, &who, "card.read", subject, &row.unit_path, vec![row.application_id]).await?;
    let photo = photo(&state, &who, Shows::Card, ApplicationId::from_uuid(row.application_id)).await;
    let is_away = photo == Photo::Away;
    let photo = jpeg(photo);
    let marking = if state.settings.specimen { Marking::Specimen } else { Marking::Issued };
    let (front, back) = draw(&row, photo.as_deref(), marking).unwrap_or_default();
    let lang = ui.lang;
    let mrz = row.dg1.as_deref().and_then(|file| dg1::parse(file).ok());
    page(&Page {
        number: row.number.clone(),
        state: lang.text(&format!("card.state.{}", row.state)),
        state_class: card_class(row.state),
        application_href: format!("/ho-so/{}", row.application_id),
        person_href: format!("/cu-dan/{}", row.person_id),
        facts: facts(&state, lang, &row),
        front,
        back,
        photo_away: is_away,
        chip: chip_files(lang, &row, photo.as_deref()),
        mrz: mrz.map(|mrz| mrz.lines().map(str::to_owned).to_vec()).unwrap_or_default(),
        qr: row.qr.clone().unwrap_or_default(),
        ui,
    })
}

/// The photo of an application, as far as the signed-in person may see it.
pub(crate) async fn photo(state: &AppState, who: &Who, page: Shows, id: ApplicationId) -> Photo {
    state.photos.photo(Asker { session: &who.token, page }, id).await
}

/// A photo that was shown, unless it is too heavy for a page.
pub(crate) fn jpeg(photo: Photo) -> Option<Vec<u8>> {
    match photo {
        Photo::Shown(jpeg) => Some(jpeg).filter(|jpeg| jpeg.len() <= MOST_PHOTO_BYTES),
        Photo::NotShown | Photo::Away => None,
    }
}

/// A photo as the address of an image.
pub(crate) fn data_uri(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", Base64::encode_string(jpeg))
}

fn facts(state: &AppState, lang: Lang, row: &CardPage) -> Vec<Fact> {
    let expires = row.expires_on.map_or_else(|| lang.text("card.no_expiry").to_owned(), format::date);
    let mut facts = vec![
        Fact { label: lang.text("card.pin"), value: row.pin.clone() },
        Fact { label: lang.text("card.issued"), value: format::date(row.issued_on) },
        Fact { label: lang.text("card.expires"), value: expires },
        Fact { label: lang.text("card.unit"), value: unit_full(state, &row.unit_code) },
        Fact { label: lang.text("card.intended_at"), value: format::moment(row.intended_at) },
    ];
    facts.extend(
        row.signed_at.map(|at| Fact { label: lang.text("card.signed_at"), value: format::moment(at) }),
    );
    facts.push(Fact { label: lang.text("card.signer"), value: row.ds_serial.clone() });
    facts
}

/// Both sides, from what is in the chip: a card that shows something else than it holds would be noticed
/// here.
fn draw(row: &CardPage, photo: Option<&[u8]>, marking: Marking) -> Option<(String, String)> {
    let dg13 = Dg13::parse(row.dg13.as_deref()?).ok()?;
    let text = |number| dg13.text(number);
    let fields = CardFields {
        pin: text(FieldNumber::PIN)?,
        cmnd: text(FieldNumber::CMND),
        name: text(FieldNumber::NAME)?,
        birth: BirthDate::parse_printed(text(FieldNumber::BIRTH)?)?,
        sex: Sex::from_vietnamese(text(FieldNumber::SEX)?)?,
        nationality: text(FieldNumber::NATIONALITY)?,
        ethnicity: text(FieldNumber::ETHNICITY).unwrap_or(""),
        religion: text(FieldNumber::RELIGION).unwrap_or(""),
        native_place: text(FieldNumber::NATIVE_PLACE).unwrap_or(""),
        residence: text(FieldNumber::RESIDENCE).unwrap_or(""),
        marks: text(FieldNumber::MARKS).unwrap_or(""),
        father: dg13.father(),
        mother: dg13.mother(),
        spouse: dg13.spouse(),
        issued: parse_printed(text(FieldNumber::ISSUED)?)?,
        expires: text(FieldNumber::EXPIRES).and_then(parse_printed).map_or(Expiry::Never, Expiry::On),
    };
    let data = CardData::new(fields).ok()?;
    // A photo that is no JPEG is left out; the silhouette takes its place.
    let front =
        artwork::front(&data, photo, marking).or_else(|_| artwork::front(&data, None, marking)).ok()?;
    Some((front, artwork::back(&data, marking)))
}

/// The chip's files in the order of the data groups, each against the security object.
fn chip_files(lang: Lang, row: &CardPage, photo: Option<&[u8]>) -> Vec<ChipFile> {
    let sod = row.sod.as_deref().and_then(|file| Sod::parse(file).ok());
    // The face is not stored a second time: its file is made again from the photo, byte for byte.
    let face = photo.and_then(|jpeg| dg2::encode(jpeg).ok());
    let groups = [
        (DataGroup::DG1, row.dg1.as_deref()),
        (DataGroup::DG2, face.as_deref()),
        // Fingers are shown to nobody, and the chip's keys are derived where they are needed.
        (DataGroup::DG3, None),
        (DataGroup::DG13, row.dg13.as_deref()),
        (DataGroup::DG14, None),
        (DataGroup::DG15, None),
    ];
    let mut files = Vec::new();
    for (group, file) in groups {
        let signed = sod.as_ref().and_then(|sod| sod.hashes().get(&group));
        let Some(file) = file else {
            // What the security object covers is on the chip, whether or not it can be shown here.
            files.extend(signed.map(|digest| ChipFile {
                name: group.to_string(),
                size: String::new(),
                digest: in_fours(digest),
                verdict: lang.text("chip.not_here"),
                class: "",
            }));
            continue;
        };
        let (verdict, class) = match sod.as_ref().and_then(|sod| sod.matches(group, file)) {
            Some(true) => (lang.text("chip.agrees"), "good"),
            Some(false) => (lang.text("chip.differs"), "late"),
            None => ("", ""),
        };
        files.push(chip_file(lang, group.to_string(), file, verdict, class));
    }
    if let (Some(sod), Some(file)) = (&sod, &row.sod) {
        let whole = sod.content_is_what_was_signed();
        let (verdict, class) =
            if whole { (lang.text("chip.whole"), "good") } else { (lang.text("chip.differs"), "late") };
        files.push(chip_file(lang, card::lds::EF_SOD.to_owned(), file, verdict, class));
    }
    files
}

fn chip_file(lang: Lang, name: String, file: &[u8], verdict: &'static str, class: &'static str) -> ChipFile {
    let size = lang.fill("chip.bytes", &[("n", &format::count(lang, file.len() as i64))]);
    ChipFile { name, size, digest: in_fours(&card::sod::hash(file)), verdict, class }
}

/// A digest as people compare it: hexadecimal, in groups of four digits.
fn in_fours(digest: &[u8]) -> String {
    digest.chunks(2).map(hex).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_whole_and_in_groups() {
        assert_eq!(in_fours(&[0x78, 0x2d, 0xe9, 0xcf, 0x0a]), "782d e9cf 0a");
    }
}
