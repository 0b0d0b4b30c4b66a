//! Every check in plain words, in Vietnamese and English, for people who know nothing of certificates.

use crate::{Check, CheckCode, Outcome, Overall};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Vietnamese,
    English,
}

impl Check {
    /// What this check found, in one sentence.
    pub fn plain(&self, language: Language) -> &'static str {
        let (vietnamese, english) = sentence(self.code, self.outcome);
        match language {
            Language::Vietnamese => vietnamese,
            Language::English => english,
        }
    }
}

impl Overall {
    /// What all checks together say, in one sentence.
    pub fn plain(self, language: Language) -> &'static str {
        let (vietnamese, english) = match self {
            Overall::Genuine => (
                "Thẻ thật: dữ liệu trong chip do cơ quan cấp ký và không bị sửa đổi.",
                "Genuine: the issuer signed the data in the chip, and nothing was changed.",
            ),
            Overall::Rejected => (
                "Không chấp nhận thẻ này: có kiểm tra không đạt.",
                "Do not accept this card: a check failed.",
            ),
            Overall::Unproven => (
                "Chưa chứng minh được: không thấy gì sai, nhưng không có gì chứng tỏ dữ liệu do cơ quan cấp ký.",
                "Unproven: nothing wrong was found, and nothing shows that the issuer signed these data.",
            ),
        };
        match language {
            Language::Vietnamese => vietnamese,
            Language::English => english,
        }
    }
}

/// Vietnamese and English.
fn sentence(code: CheckCode, outcome: Outcome) -> (&'static str, &'static str) {
    use Outcome::{Fail, NotChecked, Pass};
    match (code, outcome) {
        (CheckCode::SodStructure, Pass) => {
            ("Danh mục chữ ký trong chip đọc được.", "The chip's list of signed data can be read.")
        }
        (CheckCode::SodStructure, Fail) => (
            "Danh mục chữ ký trong chip thiếu, hỏng hoặc bị sửa.",
            "The chip's list of signed data is missing, damaged or changed.",
        ),
        (CheckCode::SodSignature, Pass) => {
            ("Chữ ký của cơ quan cấp thẻ đúng.", "The issuer's signature is right.")
        }
        (CheckCode::SodSignature, Fail) => (
            "Chữ ký trên dữ liệu sai: dữ liệu có thể là giả.",
            "The signature on the data is wrong: the data may be forged.",
        ),
        (CheckCode::Chain, Pass) => (
            "Khóa đã ký thẻ được quốc gia chứng nhận.",
            "The country certified the key that signed the card.",
        ),
        (CheckCode::Chain, Fail) => (
            "Khóa đã ký thẻ không do cơ quan được tin cậy chứng nhận.",
            "No trusted authority certified the key that signed the card.",
        ),
        (CheckCode::Validity, Pass) => (
            "Các chứng thư còn hiệu lực vào lúc kiểm tra.",
            "The certificates are valid at the time of the check.",
        ),
        (CheckCode::Validity, Fail) => (
            "Có chứng thư chưa hoặc không còn hiệu lực vào lúc kiểm tra.",
            "A certificate is not yet or no longer valid at the time of the check.",
        ),
        (CheckCode::DataGroupHashes, Pass) => {
            ("Mọi dữ liệu đã đọc đúng như lúc được ký.", "All data that were read are as they were signed.")
        }
        (CheckCode::DataGroupHashes, Fail) => (
            "Dữ liệu trong chip khác với dữ liệu đã được ký.",
            "The data in the chip are not those that were signed.",
        ),
        (CheckCode::FileList, Pass) => {
            ("Chip có đúng những tệp mà nó khai.", "The chip holds the files that it says it holds.")
        }
        (CheckCode::FileList, Fail) => (
            "Các tệp trong chip không khớp với danh mục của nó.",
            "The chip's files do not match its own list.",
        ),
        (CheckCode::MrzCheckDigits, Pass) => (
            "Dòng mã đọc máy đúng cấu trúc và các số kiểm tra khớp.",
            "The machine-readable lines are well formed and their check digits hold.",
        ),
        (CheckCode::MrzCheckDigits, Fail) => (
            "Dòng mã đọc máy sai cấu trúc hoặc sai số kiểm tra.",
            "The machine-readable lines are malformed or a check digit is wrong.",
        ),
        (CheckCode::Dg13Structure, Pass) => {
            ("Dữ liệu tiếng Việt trong chip đọc được.", "The Vietnamese data in the chip can be read.")
        }
        (CheckCode::Dg13Structure, Fail) => {
            ("Dữ liệu tiếng Việt trong chip bị hỏng.", "The Vietnamese data in the chip are damaged.")
        }
        (CheckCode::MrzDg13Agreement, Pass) => {
            ("Các tệp trong chip nói về cùng một người.", "The chip's files are about the same person.")
        }
        (CheckCode::MrzDg13Agreement, Fail) => (
            "Các tệp trong chip nói về hai người khác nhau.",
            "The chip's files are about two different people.",
        ),
        (CheckCode::FaceStructure, Pass) => ("Chip có ảnh khuôn mặt.", "The chip holds a photo of the face."),
        (CheckCode::FaceStructure, Fail) => {
            ("Ảnh khuôn mặt trong chip bị hỏng.", "The photo in the chip is damaged.")
        }
        (CheckCode::KeyUsePeriod, Pass) => {
            ("Khóa được phép ký vào ngày cấp thẻ.", "The key was allowed to sign when the card was issued.")
        }
        (CheckCode::KeyUsePeriod, Fail) => (
            "Khóa đã hết hạn ký trước ngày cấp ghi trên thẻ.",
            "The key's time for signing was over before the card's day of issue.",
        ),
        (CheckCode::Revocation, Pass) => {
            ("Khóa đã ký thẻ không bị thu hồi.", "The key that signed the card has not been revoked.")
        }
        (CheckCode::Revocation, Fail) => {
            ("Khóa đã ký thẻ đã bị thu hồi.", "The key that signed the card has been revoked.")
        }
        (CheckCode::CardValidity, Pass) => ("Thẻ còn thời hạn.", "The card has not expired."),
        (CheckCode::CardValidity, Fail) => ("Thẻ đã hết thời hạn.", "The card has expired."),
        (CheckCode::RegisterStatus, Pass) => (
            "Cơ sở dữ liệu ghi nhận thẻ này đang có hiệu lực.",
            "The register has this card as the one in force.",
        ),
        (CheckCode::RegisterStatus, Fail) => (
            "Cơ sở dữ liệu không ghi nhận thẻ này đang có hiệu lực.",
            "The register does not have this card as one in force.",
        ),
        (CheckCode::SecurityInfos, Pass) => (
            "Cách chip bảo vệ đường truyền đúng như đã ký.",
            "The chip protects the connection in the way that was signed.",
        ),
        (CheckCode::SecurityInfos, Fail) => (
            "Cách chip bảo vệ đường truyền khác với điều đã ký.",
            "The chip protects the connection otherwise than was signed.",
        ),
        (CheckCode::ChipKey, Pass) => (
            "Chip có khóa để chứng minh không phải bản sao.",
            "The chip has a key by which it can prove that it is no copy.",
        ),
        (CheckCode::ChipKey, Fail) => ("Khóa của chip bị hỏng.", "The chip's key is damaged."),
        (CheckCode::ActiveAuthentication | CheckCode::ChipAuthentication, Pass) => {
            ("Chip đã chứng minh nó không phải bản sao.", "The chip has proven that it is no copy.")
        }
        (CheckCode::ActiveAuthentication | CheckCode::ChipAuthentication, Fail) => (
            "Chip không chứng minh được: đây có thể là bản sao.",
            "The chip could not prove itself: this may be a copy.",
        ),
        (CheckCode::QrAgreement, Pass) => {
            ("Mã QR in trên thẻ khớp với chip.", "The printed QR code agrees with the chip.")
        }
        (CheckCode::QrAgreement, Fail) => {
            ("Mã QR in trên thẻ không khớp với chip.", "The printed QR code does not agree with the chip.")
        }
        (CheckCode::PrintedMrzAgreement, Pass) => (
            "Dòng mã đọc máy in trên thẻ khớp với chip.",
            "The printed machine-readable lines agree with the chip.",
        ),
        (CheckCode::PrintedMrzAgreement, Fail) => (
            "Dòng mã đọc máy in trên thẻ không khớp với chip.",
            "The printed machine-readable lines do not agree with the chip.",
        ),
        (CheckCode::QrStructure, Pass) => ("Mã QR đúng cấu trúc.", "The QR code is well formed."),
        (CheckCode::QrStructure, Fail) => {
            ("Nội dung này không phải mã QR của thẻ.", "This text is not that of a card's QR code.")
        }
        (CheckCode::PaperOnly, _) => (
            "Chỉ đọc phần in trên thẻ nên chứng minh rất ít: ai cũng có thể in như vậy. Hãy đọc chip.",
            "Only print was read, which proves very little: anyone can print the same. Read the chip.",
        ),
        (CheckCode::Revocation, NotChecked) => (
            "Chưa kiểm tra thu hồi: không có danh sách thu hồi của thời điểm này.",
            "Revocation was not checked: there is no list for this moment.",
        ),
        (CheckCode::RegisterStatus, NotChecked) => (
            "Chưa hỏi cơ sở dữ liệu: thẻ có thể đã được thay hoặc thu hồi.",
            "The register was not asked: the card may have been replaced or revoked.",
        ),
        (_, NotChecked) => (
            "Chưa kiểm tra được, vì thiếu dữ liệu hoặc vì kiểm tra trước đó không đạt.",
            "Not checked, because data are missing or an earlier check failed.",
        ),
    }
}
