//! Every check in plain words, in Vietnamese and English, for people who know nothing of certificates.

use crate::{CardStatus, Check, CheckCode, Outcome, Overall};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Vietnamese,
    English,
}

/// The same sentence in Vietnamese and in English.
type Sentence = (&'static str, &'static str);

impl Language {
    fn of(self, (vietnamese, english): Sentence) -> &'static str {
        match self {
            Language::Vietnamese => vietnamese,
            Language::English => english,
        }
    }
}

impl Check {
    /// What this check found, in one sentence.
    pub fn plain(&self, language: Language) -> &'static str {
        let [pass, fail, not_checked] = sentences(self.code);
        language.of(match (self.outcome, self.status) {
            (Outcome::Pass, _) => pass,
            (Outcome::Fail, Some(status)) => not_in_force(status).unwrap_or(fail),
            (Outcome::Fail, None) => fail,
            (Outcome::NotChecked, _) => not_checked,
        })
    }
}

impl Overall {
    /// What all checks together say, in one sentence.
    pub fn plain(self, language: Language) -> &'static str {
        language.of(match self {
            Overall::Genuine => (
                "Thẻ thật: dữ liệu trong chip do cơ quan cấp thẻ ký và không bị sửa đổi.",
                "Genuine: the issuer signed the data in the chip, and nothing was changed.",
            ),
            Overall::Rejected => (
                "Không chấp nhận thẻ này: có nội dung kiểm tra không đạt.",
                "Do not accept this card: a check failed.",
            ),
            Overall::Unproven => (
                "Chưa chứng minh được: không thấy gì sai, nhưng cũng không có gì chứng tỏ dữ liệu do cơ quan cấp thẻ ký.",
                "Unproven: nothing wrong was found, and nothing shows that the issuer signed these data.",
            ),
        })
    }
}

fn not_in_force(status: CardStatus) -> Option<Sentence> {
    match status {
        CardStatus::Active => None,
        CardStatus::Replaced => Some((
            "Thẻ này đã được thay bằng thẻ khác, không còn giá trị sử dụng.",
            "Another card has replaced this one; it is no longer valid.",
        )),
        CardStatus::Revoked => {
            Some(("Thẻ này đã bị thu hồi.", "This card has been revoked; it is no longer valid."))
        }
        CardStatus::NotHandedOver => Some((
            "Thẻ này chưa được trao cho người được cấp.",
            "This card has not been handed to the person for whom it was made.",
        )),
        CardStatus::Unknown => {
            Some(("Cơ quan cấp thẻ không có thẻ nào như thế này.", "The issuer's register has no such card."))
        }
    }
}

/// Passed, failed, not checked.
fn sentences(code: CheckCode) -> [Sentence; 3] {
    match code {
        CheckCode::SodStructure
        | CheckCode::SodSignature
        | CheckCode::Chain
        | CheckCode::Country
        | CheckCode::Validity
        | CheckCode::KeyUsePeriod
        | CheckCode::Revocation
        | CheckCode::DataGroupHashes => who_signed(code),
        CheckCode::QrAgreement
        | CheckCode::PrintedMrzAgreement
        | CheckCode::PrintAgreement
        | CheckCode::QrStructure
        | CheckCode::PaperOnly => print(code),
        _ => what_is_in_the_chip(code),
    }
}

fn who_signed(code: CheckCode) -> [Sentence; 3] {
    match code {
        CheckCode::SodStructure => [
            ("Đọc được danh mục dữ liệu đã ký trong chip.", "The chip's list of signed data can be read."),
            (
                "Danh mục dữ liệu đã ký trong chip bị thiếu, bị hỏng hoặc bị sửa.",
                "The chip's list of signed data is missing, damaged or changed.",
            ),
            ("Chưa đọc danh mục dữ liệu đã ký trong chip.", "The chip's list of signed data was not read."),
        ],
        CheckCode::SodSignature => [
            ("Chữ ký số của cơ quan cấp thẻ đúng.", "The issuer's digital signature is right."),
            (
                "Chữ ký số sai: dữ liệu có thể là giả.",
                "The digital signature is wrong: the data may be forged.",
            ),
            ("Chưa kiểm tra được chữ ký số.", "The digital signature could not be checked."),
        ],
        CheckCode::Chain => [
            (
                "Khóa dùng để ký thẻ do cơ quan được tin cậy chứng nhận.",
                "A trusted authority certified the key that signed the card.",
            ),
            (
                "Khóa dùng để ký thẻ không do cơ quan được tin cậy nào chứng nhận: thẻ có thể là giả.",
                "No trusted authority certified the key that signed the card: the card may be forged.",
            ),
            (
                "Chưa kiểm tra được ai chứng nhận khóa dùng để ký thẻ.",
                "Who certified the key that signed the card could not be checked.",
            ),
        ],
        CheckCode::Country => [
            ("Khóa dùng để ký thẻ là của Việt Nam.", "The key that signed the card is Viet Nam's."),
            (
                "Khóa này không được dùng để ký thẻ căn cước của Việt Nam.",
                "This key may not sign identity cards of Viet Nam.",
            ),
            (
                "Chưa kiểm tra được khóa dùng để ký thẻ là của nước nào.",
                "Of which country the key that signed the card is could not be checked.",
            ),
        ],
        CheckCode::Validity => [
            (
                "Các chứng thư số còn hiệu lực tại thời điểm kiểm tra.",
                "The certificates are valid at the time of the check.",
            ),
            (
                "Có chứng thư số chưa có hiệu lực hoặc đã hết hiệu lực.",
                "A certificate is not yet or no longer valid.",
            ),
            (
                "Chưa kiểm tra được hiệu lực của các chứng thư số.",
                "Whether the certificates are valid could not be checked.",
            ),
        ],
        CheckCode::KeyUsePeriod => [
            (
                "Vào ngày cấp thẻ, khóa vẫn trong thời hạn được ký.",
                "On the card's day of issue, the key was allowed to sign.",
            ),
            (
                "Khóa đã hết thời hạn được ký trước ngày cấp ghi trên thẻ.",
                "The key's time for signing was over before the card's day of issue.",
            ),
            (
                "Chưa kiểm tra được thời hạn được ký của khóa.",
                "Whether the key was still allowed to sign could not be checked.",
            ),
        ],
        CheckCode::Revocation => [
            ("Khóa dùng để ký thẻ không bị thu hồi.", "The key that signed the card has not been revoked."),
            ("Khóa dùng để ký thẻ đã bị thu hồi.", "The key that signed the card has been revoked."),
            (
                "Chưa kiểm tra khóa có bị thu hồi không: không có danh sách thu hồi còn hiệu lực.",
                "Whether the key was revoked was not checked: there is no revocation list in date.",
            ),
        ],
        _ => [
            (
                "Mọi dữ liệu đã đọc đều đúng như khi được ký.",
                "All data that were read are as they were signed.",
            ),
            (
                "Dữ liệu trong chip khác với dữ liệu đã được ký: có thể đã bị sửa.",
                "The data in the chip are not those that were signed: they may have been changed.",
            ),
            (
                "Chưa đủ dữ liệu để so với chữ ký: có tệp của chip chưa được đọc.",
                "Not all data could be compared with the signature: files of the chip were not read.",
            ),
        ],
    }
}

fn what_is_in_the_chip(code: CheckCode) -> [Sentence; 3] {
    match code {
        CheckCode::FileList => [
            (
                "Danh sách tệp của chip khớp với danh mục đã ký.",
                "The chip's list of files is the signed one.",
            ),
            (
                "Các tệp của chip không khớp với danh mục đã ký.",
                "The chip's files do not match the signed list.",
            ),
            ("Chưa kiểm tra được danh sách tệp của chip.", "The chip's list of files could not be checked."),
        ],
        CheckCode::MrzCheckDigits => [
            (
                "Ba dòng mã máy đọc (MRZ) đúng cấu trúc, các số kiểm tra khớp.",
                "The machine-readable lines are well formed and their check digits hold.",
            ),
            (
                "Ba dòng mã máy đọc (MRZ) sai cấu trúc hoặc sai số kiểm tra.",
                "The machine-readable lines are malformed or a check digit is wrong.",
            ),
            (
                "Chưa đọc ba dòng mã máy đọc (MRZ) trong chip.",
                "The machine-readable lines in the chip were not read.",
            ),
        ],
        CheckCode::Dg13Structure => [
            (
                "Đọc được thông tin tiếng Việt của người được cấp thẻ trong chip.",
                "The holder's data in Vietnamese in the chip can be read.",
            ),
            (
                "Thông tin tiếng Việt trong chip bị hỏng.",
                "The holder's data in Vietnamese in the chip are damaged.",
            ),
            (
                "Chưa đọc thông tin tiếng Việt trong chip.",
                "The holder's data in Vietnamese in the chip were not read.",
            ),
        ],
        CheckCode::MrzDg13Agreement => [
            (
                "Thông tin trong các tệp của chip là của cùng một người.",
                "The chip's files are about the same person.",
            ),
            (
                "Thông tin trong các tệp của chip không cùng của một người.",
                "The chip's files are about different people.",
            ),
            (
                "Chưa so được thông tin giữa các tệp của chip.",
                "The chip's files could not be compared with each other.",
            ),
        ],
        CheckCode::FaceStructure => [
            ("Chip có ảnh khuôn mặt.", "The chip holds a photo of the face."),
            ("Ảnh khuôn mặt trong chip bị hỏng.", "The photo in the chip is damaged."),
            ("Chưa đọc ảnh khuôn mặt trong chip.", "The photo in the chip was not read."),
        ],
        CheckCode::FingerStructure => [
            ("Đọc được dữ liệu vân tay trong chip.", "The fingerprints in the chip can be read."),
            ("Dữ liệu vân tay trong chip bị hỏng.", "The fingerprints in the chip are damaged."),
            (
                "Không đọc vân tay: chip chỉ cho máy đọc có quyền xem. Điều này là bình thường.",
                "The fingerprints were not read: the chip shows them to authorised readers only. This is normal.",
            ),
        ],
        CheckCode::CardValidity => [
            ("Thẻ còn thời hạn sử dụng.", "The card has not expired."),
            ("Thẻ đã hết thời hạn sử dụng.", "The card has expired."),
            (
                "Chưa kiểm tra được thời hạn sử dụng của thẻ.",
                "Whether the card has expired could not be checked.",
            ),
        ],
        CheckCode::RegisterStatus => [
            (
                "Cơ quan cấp thẻ xác nhận thẻ này đang có giá trị sử dụng.",
                "The issuer's register has this card as the one in force.",
            ),
            (
                "Theo cơ quan cấp thẻ, thẻ này không có giá trị sử dụng.",
                "The issuer's register does not have this card as one in force.",
            ),
            (
                "Chưa hỏi cơ quan cấp thẻ: thẻ có thể đã được thay hoặc bị thu hồi.",
                "The issuer's register was not asked: the card may have been replaced or revoked.",
            ),
        ],
        CheckCode::SecurityInfos => [
            (
                "Cách chip bảo vệ đường truyền đúng như đã ký.",
                "The chip protects the connection in the way that was signed.",
            ),
            (
                "Cách chip bảo vệ đường truyền khác với điều đã ký.",
                "The chip protects the connection otherwise than was signed.",
            ),
            (
                "Chưa kiểm tra được cách chip bảo vệ đường truyền.",
                "How the chip protects the connection could not be checked.",
            ),
        ],
        CheckCode::ChipKey => [
            (
                "Chip có khóa riêng để chứng minh nó không phải bản sao.",
                "The chip has a key by which it can prove that it is no copy.",
            ),
            ("Khóa riêng của chip bị hỏng.", "The chip's key is damaged."),
            ("Chưa đọc khóa của chip.", "The chip's key was not read."),
        ],
        CheckCode::ActiveAuthentication => [
            (
                "Chip đã ký câu hỏi của máy đọc bằng khóa riêng: nó không phải bản sao.",
                "The chip signed the reader's question with its own key: it is no copy.",
            ),
            (
                "Chip không ký đúng câu hỏi của máy đọc: đây có thể là bản sao.",
                "The chip did not sign the reader's question rightly: this may be a copy.",
            ),
            (
                "Chưa yêu cầu chip ký để chứng minh nó là chip gốc: chỉ máy đọc đang giữ thẻ mới làm được.",
                "The chip was not asked to sign a question: only a reader that holds the card can ask it.",
            ),
        ],
        // Chip Authentication.
        _ => [
            (
                "Chip đã thỏa thuận khóa với máy đọc bằng khóa riêng: dữ liệu được đọc từ chính chip gốc.",
                "The chip agreed on keys with the reader by its own key: the data came from the chip itself.",
            ),
            (
                "Chip không thỏa thuận được khóa với máy đọc: dữ liệu có thể đọc từ một bản sao.",
                "The chip could not agree on keys with the reader: the data may have been read from a copy.",
            ),
            (
                "Chưa yêu cầu chip thỏa thuận khóa với máy đọc: chỉ máy đọc đang giữ thẻ mới làm được.",
                "The chip was not asked to agree on keys: only a reader that holds the card can do so.",
            ),
        ],
    }
}

fn print(code: CheckCode) -> [Sentence; 3] {
    match code {
        CheckCode::QrAgreement => [
            ("Mã QR in trên thẻ khớp với chip.", "The printed QR code agrees with the chip."),
            ("Mã QR in trên thẻ không khớp với chip.", "The printed QR code does not agree with the chip."),
            (
                "Chưa so được mã QR in trên thẻ với chip.",
                "The printed QR code could not be compared with the chip.",
            ),
        ],
        CheckCode::PrintedMrzAgreement => [
            (
                "Ba dòng mã máy đọc in trên thẻ khớp với chip.",
                "The printed machine-readable lines agree with the chip.",
            ),
            (
                "Ba dòng mã máy đọc in trên thẻ không khớp với chip.",
                "The printed machine-readable lines do not agree with the chip.",
            ),
            (
                "Chưa so được ba dòng mã máy đọc in trên thẻ với chip.",
                "The printed machine-readable lines could not be compared with the chip.",
            ),
        ],
        CheckCode::PrintAgreement => [
            (
                "Mã QR và ba dòng mã máy đọc in trên thẻ khớp nhau.",
                "The printed QR code and machine-readable lines agree.",
            ),
            (
                "Mã QR và ba dòng mã máy đọc in trên thẻ không khớp nhau.",
                "The printed QR code and machine-readable lines do not agree.",
            ),
            (
                "Chưa so được mã QR với ba dòng mã máy đọc.",
                "The QR code could not be compared with the machine-readable lines.",
            ),
        ],
        CheckCode::QrStructure => [
            ("Mã QR đúng cấu trúc.", "The QR code is well formed."),
            (
                "Nội dung này không phải mã QR của thẻ căn cước.",
                "This text is not that of an identity card's QR code.",
            ),
            ("Chưa đọc mã QR.", "The QR code was not read."),
        ],
        // Nothing else is of print only.
        _ => {
            [(
                "Chỉ đọc phần in trên thẻ nên chứng minh được rất ít: ai cũng có thể in như vậy. Hãy đọc chip.",
                "Only print was read, which proves very little: anyone can print the same. Read the chip.",
            ); 3]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_of_every_check_has_its_own_words() {
        for code in CheckCode::ALL {
            let words = sentences(code);
            for (vietnamese, english) in words {
                for sentence in [vietnamese, english] {
                    assert!(sentence.ends_with('.') && sentence.len() > 10, "{code}: {sentence}");
                }
                assert_ne!(vietnamese, english);
            }
            let same = words[0] == words[1] || words[1] == words[2] || words[0] == words[2];
            assert_eq!(same, code == CheckCode::PaperOnly, "{code}");
        }
        let all: std::collections::BTreeSet<_> = CheckCode::ALL.into_iter().map(sentences).collect();
        assert_eq!(all.len(), CheckCode::ALL.len(), "no two checks share words");
        for outcome in 0..3 {
            let said = CheckCode::ALL.map(|code| sentences(code)[outcome]);
            let different: std::collections::BTreeSet<_> = said.into_iter().collect();
            assert_eq!(different.len(), said.len(), "a verdict would repeat a sentence");
        }
    }

    #[test]
    fn a_card_that_is_not_in_force_says_why() {
        let states =
            [CardStatus::Replaced, CardStatus::Revoked, CardStatus::NotHandedOver, CardStatus::Unknown];
        let check = |status| Check {
            code: CheckCode::RegisterStatus,
            outcome: Outcome::Fail,
            detail: String::new(),
            status: Some(status),
        };
        let words: std::collections::BTreeSet<_> =
            states.map(|status| check(status).plain(Language::Vietnamese)).into_iter().collect();
        assert_eq!(words.len(), 4);
    }
}
