//! Draws both sides of a synthetic card: `cargo run -p card --example draw -- OUT_DIR [PHOTO.jpg]`.

use card::{
    artwork::{Marking, back, front},
    data::{BirthDate, CardData, CardFields, Expiry, Sex},
};
use time::macros::date;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, photo @ ..] = &arguments[..] else {
        return Err("usage: draw OUT_DIR [PHOTO.jpg]".into());
    };
    let photo = photo.first().map(std::fs::read).transpose()?;
    let card = CardData::new(CardFields {
        pin: "042199012345",
        cmnd: Some("183456789"),
        name: "Nguyễn Thị Hồng Mẫu",
        birth: BirthDate::Full(date!(1999 - 01 - 01)),
        sex: Sex::Female,
        nationality: "Việt Nam",
        ethnicity: "Kinh",
        religion: "Không",
        native_place: "Xã Thạch Mẫu, Huyện Thạch Hà, Tỉnh Hà Tĩnh",
        residence: "Tổ dân phố 3, Thị trấn Thạch Mẫu, Huyện Thạch Hà, Tỉnh Hà Tĩnh",
        marks: "Nốt ruồi C: 2cm trên trước đầu lông mày phải",
        father: None,
        mother: None,
        spouse: None,
        issued: date!(2021 - 04 - 06),
        expires: Expiry::On(date!(2039 - 01 - 01)),
    })?;
    let out = std::path::Path::new(out);
    std::fs::write(out.join("front.svg"), front(&card, photo.as_deref(), Marking::Specimen)?)?;
    std::fs::write(out.join("back.svg"), back(&card, Marking::Specimen))?;
    Ok(())
}
