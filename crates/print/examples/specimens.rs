//! Draws cards of people who do not exist, with a short, a long and an ethnic-minority name, as SVG and PDF
//! into a directory, to be looked at: `cargo run -p print --example specimens -- DIR PHOTO.jpg`.

use time::macros::date;

use card::artwork::drawing::Edge;
use card::artwork::{self, Marking, Sheet};
use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};

/// Name of the files, name of the person, native place, residence, marks.
const PEOPLE: [[&str; 5]; 3] = [
    [
        "short",
        "Lê Ý",
        "Thạch Đài, Thạch Hà, Hà Tĩnh",
        "Xóm Liên Vinh, Thạch Đài, Thạch Hà, Hà Tĩnh",
        "Nốt ruồi C: 2cm trên trước đầu lông mày phải",
    ],
    [
        "long",
        "Nguyễn Hoàng Trương Thị Phương Nghiêm Thuỷ Quỳnh Trường Giang",
        "Thị trấn Phong Nha, Huyện Bố Trạch, Tỉnh Quảng Bình",
        "Số nhà 1024/35/7, đường Nguyễn Thị Minh Khai, tổ dân phố 12, khu phố Trường Thọ, Phường Linh Trung, \
         Thành phố Thủ Đức, Thành phố Hồ Chí Minh",
        "Sẹo chấm C: 3,5cm dưới trước đuôi mắt trái, nốt ruồi C: 1cm trên sau mép phải",
    ],
    [
        "minority",
        "H'Bhiêng Ƀuôn Yă Niê Kđăm",
        "Ea Tul, Cư M'gar, Đắk Lắk",
        "Buôn Sah B, nhà số 7 gần bến nước, đường liên buôn Čuôr Đăng - Ea H'leo, xã Ea Tul, huyện Cư M'gar, \
         tỉnh Đắk Lắk",
        "Sẹo ơ̆ C: 2cm trên sau đuôi mắt trái",
    ],
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = std::path::PathBuf::from(args.next().ok_or("which directory shall hold the drawings?")?);
    let photo = args.next().map(std::fs::read).transpose()?;
    std::fs::create_dir_all(&dir)?;
    for [file, name, native_place, residence, marks] in PEOPLE {
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
            marks,
            father: None,
            mother: None,
            spouse: None,
            issued: date!(2021 - 04 - 06),
            expires: Expiry::On(date!(2039 - 12 - 31)),
        })?;
        let sheet = Sheet { marking: Marking::Specimen, edge: Edge::Square };
        let sides = [artwork::draw_front(&card, photo.as_deref(), sheet)?, artwork::draw_back(&card, sheet)];
        std::fs::write(dir.join(format!("{file}.pdf")), print::pdf(&sides)?)?;
        for side in sides {
            std::fs::write(dir.join(format!("{file}-{}.svg", side.side)), side.to_svg())?;
        }
    }
    Ok(())
}
