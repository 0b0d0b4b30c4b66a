//! Draws both sides of cards of people who do not exist, with a short, a long and an ethnic-minority name, as SVG into a
//! directory, to be looked at: `cargo run --package card --example artwork -- DIR [PHOTO.jpg]`.

use card::artwork::{self, Marking};
use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};
use time::macros::date;

/// Name of the drawing, name of the person, native place and residence.
const PEOPLE: [[&str; 4]; 3] = [
    ["short", "Lê Ý", "Thạch Đài, Thạch Hà, Hà Tĩnh", "Thôn Liên Vinh, Thạch Đài, Thạch Hà, Hà Tĩnh"],
    [
        "long",
        "Nguyễn Hoàng Trương Thị Phương Nghiêm Thuỷ Quỳnh Trường Giang",
        "Thị trấn Phong Nha, Bố Trạch, Quảng Bình",
        "Số nhà 1024/35/7, đường Nguyễn Thị Minh Khai, tổ dân phố 12, khu phố Trường Thọ, Phường Linh Trung, Thành phố Thủ Đức, \
         Thành phố Hồ Chí Minh",
    ],
    ["minority", "H'Hen Niê Kđăm Êban", "Ea Tul, Cư M'gar, Đắk Lắk", "Buôn Sah B, Ea Tul, Cư M'gar, Đắk Lắk"],
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("which directory shall hold the drawings?")?;
    let photo = args.next().map(std::fs::read).transpose()?;
    std::fs::create_dir_all(&dir)?;
    for [file, name, native_place, residence] in PEOPLE {
        let card = CardData::new(CardFields {
            pin: "042199012345",
            cmnd: Some("183456789"),
            name,
            birth: BirthDate::Full(date!(1999 - 12 - 31)),
            sex: Sex::Female,
            nationality: "Việt Nam",
            ethnicity: "Kinh",
            religion: "Không",
            native_place,
            residence,
            marks: "Nốt ruồi C: 2cm trên trước đầu lông mày phải",
            father: None,
            mother: None,
            spouse: None,
            issued: date!(2021 - 04 - 06),
            expires: Expiry::On(date!(2039 - 12 - 31)),
        })?;
        let front = artwork::front(&card, photo.as_deref(), Marking::Specimen)?;
        std::fs::write(format!("{dir}/{file}-front.svg"), front)?;
        std::fs::write(format!("{dir}/{file}-back.svg"), artwork::back(&card, Marking::Specimen))?;
    }
    Ok(())
}
