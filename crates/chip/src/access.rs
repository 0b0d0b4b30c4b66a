//! What opens a chip: the access number, or the key fields of the machine-readable zone; and the messages of
//! Basic Access Control (Doc 9303-11 §4.3), which knows only the latter.

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::Error;
use card::mrz::{Mrz, check_digit};
use card::secure_messaging::{Channel, Cipher, PaceKey, SessionKeys, pad};

/// Bytes of a challenge.
pub(crate) const CHALLENGE_LEN: usize = 8;
/// Bytes of key material that each side brings to Basic Access Control.
pub(crate) const SHARE_LEN: usize = 16;
/// Bytes of either side's message: two challenges and a share, encrypted, and a MAC.
pub(crate) const MESSAGE_LEN: usize = 2 * CHALLENGE_LEN + SHARE_LEN + 8;

/// The card access number: six digits.
#[derive(Clone)]
pub struct AccessNumber(Zeroizing<String>);

impl AccessNumber {
    /// The six digits on the card's front, which are the last of its personal number.
    ///
    /// # Errors
    ///
    /// When it is anything but six ASCII digits.
    pub fn parse(text: &str) -> Result<AccessNumber, Error> {
        let valid = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        if valid { Ok(AccessNumber(Zeroizing::new(text.to_owned()))) } else { Err(Error::AccessNumber) }
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The last six digits of the personal number in the zone.
    pub fn of(mrz: &Mrz) -> AccessNumber {
        AccessNumber(Zeroizing::new(mrz.pin()[6..].to_owned()))
    }
}

/// Document number, birth and expiry with their check digits.
#[derive(Clone)]
pub struct MrzKey(Zeroizing<String>);

impl MrzKey {
    /// From the fields as the zone writes them. A number of fewer than nine characters is filled up.
    pub fn new(number: &str, birth: &str, expiry: &str) -> Result<MrzKey, Error> {
        let zone = |text: &str| text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'<'));
        let fits = (1..=22).contains(&number.len()) && birth.len() == 6 && expiry.len() == 6;
        if !fits || ![number, birth, expiry].into_iter().all(zone) {
            return Err(Error::MachineReadableZone);
        }
        let number = format!("{number:<<9}");
        let mut key = Zeroizing::new(String::with_capacity(40));
        for field in [number.as_str(), birth, expiry] {
            key.push_str(field);
            key.push(check_digit(field));
        }
        Ok(MrzKey(key))
    }

    /// Three lines, 90 characters, or `NUMBER,YYMMDD,YYMMDD`.
    pub fn parse(text: &str) -> Result<MrzKey, Error> {
        match text.split(',').map(str::trim).collect::<Vec<_>>()[..] {
            [number, birth, expiry] => MrzKey::new(number, birth, expiry),
            _ => Ok(MrzKey::of(&Mrz::parse(text.trim())?)),
        }
    }

    /// The part of a zone from which Basic Access Control and PACE derive their key: document number, birth
    /// and expiry.
    pub fn of(mrz: &Mrz) -> MrzKey {
        let number = &mrz.lines()[0][5..14];
        MrzKey::new(number, mrz.birth(), mrz.expiry()).expect("a parsed zone's fields have their lengths")
    }

    /// Number, birth and expiry, each with its check digit: the MRZ information of Doc 9303-11 §4.3.2.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The document number with its check digit, by which a chip that Basic Access Control opened names
    /// itself (Doc 9303-11 §7.1.2).
    pub(crate) fn document_number(&self) -> &str {
        &self.0[..self.0.len() - 14]
    }

    /// From [`MrzKey::text`].
    pub(crate) fn from_information(text: &str) -> Result<MrzKey, Error> {
        let fields = (text.is_ascii() && text.len() > 16).then(|| {
            (&text[..text.len() - 15], &text[text.len() - 14..text.len() - 8], &text[text.len() - 7..])
        });
        let (number, birth, expiry) = fields.ok_or(Error::MachineReadableZone)?;
        let key = MrzKey::new(number, birth, &expiry[..6])?;
        if key.text() == text { Ok(key) } else { Err(Error::MachineReadableZone) }
    }

    fn digest(&self) -> Zeroizing<[u8; 20]> {
        Zeroizing::new(Sha1::digest(self.0.as_bytes()).into())
    }

    /// The keys of Basic Access Control (Doc 9303-11 §9.7.2).
    pub(crate) fn basic_access_keys(&self) -> SessionKeys {
        SessionKeys::derive(Cipher::TripleDes, &self.digest()[..16])
    }
}

/// What PACE proves the knowledge of.
#[derive(Clone)]
pub enum Password {
    AccessNumber(AccessNumber),
    Mrz(MrzKey),
}

impl Password {
    /// The reference in MSE:Set AT (Doc 9303-11 §4.4.4.1).
    pub(crate) fn reference(&self) -> u8 {
        match self {
            Password::Mrz(_) => 0x01,
            Password::AccessNumber(_) => 0x02,
        }
    }

    pub(crate) fn pace_key(&self) -> PaceKey {
        match self {
            Password::AccessNumber(number) => PaceKey::derive(number.0.as_bytes()),
            Password::Mrz(key) => PaceKey::derive(key.digest().as_slice()),
        }
    }
}

impl std::fmt::Debug for AccessNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessNumber(redacted)")
    }
}

impl std::fmt::Debug for MrzKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MrzKey(redacted)")
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// Both challenges and one side's share, as that side sends them: its own challenge first.
pub(crate) fn seal(keys: &SessionKeys, own: &[u8; 8], other: &[u8; 8], share: &[u8; SHARE_LEN]) -> Vec<u8> {
    let plain = Zeroizing::new([&own[..], other, share].concat());
    let mut out = keys.encrypt_plain(&plain);
    let mac = keys.mac(&pad(&out, 8));
    out.extend_from_slice(&mac);
    out
}

/// The other side's share, if its message is under the same keys and answers to both challenges.
pub(crate) fn open(
    keys: &SessionKeys,
    message: &[u8],
    own: &[u8; 8],
    other: Option<&[u8; 8]>,
) -> Option<([u8; 8], Zeroizing<[u8; SHARE_LEN]>)> {
    let (encrypted, mac) = message.split_at_checked(MESSAGE_LEN - 8)?;
    let expected = keys.mac(&pad(encrypted, 8));
    let differs = mac.len() != 8 || expected.iter().zip(mac).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0;
    if differs {
        return None;
    }
    let plain = keys.decrypt_plain(encrypted);
    let theirs: [u8; 8] = plain[..8].try_into().ok()?;
    if &plain[8..16] != own || other.is_some_and(|other| *other != theirs) {
        return None;
    }
    Some((theirs, Zeroizing::new(plain[16..].try_into().ok()?)))
}

/// A side's challenge and its share of the keys.
type Side<'a> = (&'a [u8; CHALLENGE_LEN], &'a [u8; SHARE_LEN]);

/// The channel after Basic Access Control: keys from both shares, counter from both challenges (Doc 9303-11
/// §9.8.6.3). After authentication with a transport key it is the same under AES.
pub(crate) fn channel(cipher: Cipher, chip: Side<'_>, reader: Side<'_>) -> Channel {
    let mut seed = Zeroizing::new([0; SHARE_LEN]);
    for (byte, (a, b)) in seed.iter_mut().zip(chip.1.iter().zip(reader.1)) {
        *byte = a ^ b;
    }
    let mut counter = [0; 16];
    counter[8..12].copy_from_slice(&chip.0[4..]);
    counter[12..].copy_from_slice(&reader.0[4..]);
    Channel::new(SessionKeys::derive(cipher, seed.as_slice()), u128::from_be_bytes(counter))
}
