//! One line of a file of signed heads, and the file as a chain of lines. What stands in a file may come from
//! anybody: any bytes give lines or a fault, never a panic.

use std::io::{BufRead, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use packet::keys::PublicKey;
use pki::{SignatureAlgorithm, Signer, verify_signature};
use store::audit::Head;

/// Bytes of a line at most; a line of sixteen chains has some 1,600.
pub const MOST_LINE_BYTES: usize = 16 * 1024;
/// Lines of a file at most: one every ten minutes for nineteen years.
const MOST_LINES: usize = 1_000_000;
/// Chains of a line at most.
const MOST_CHAINS: usize = 64;
/// Bytes of a signature at most.
const MOST_SIGNATURE: usize = 128;

/// The heads of all chains at one moment, and the signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeads {
    /// From 1, without gaps.
    pub number: u64,
    /// When they were read, by the machine's clock.
    pub at: OffsetDateTime,
    /// The SHA-256 of the line before, zeros for the first: no line can be taken out unnoticed.
    pub previous: [u8; 32],
    /// In the order of the chains. The number of a head is the number of rows before and with it.
    pub heads: Vec<Head>,
    /// Which key signed: the first eight bytes of the SHA-256 of its point.
    pub key_id: [u8; 8],
    /// ECDSA with SHA-256 on P-256, in DER.
    pub signature: Vec<u8>,
}

/// Why a line, or its place in the file, is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it is longer than a line of signed heads can be")]
    TooLong,
    #[error("it is not a line of signed heads")]
    NotALine,
    #[error("it is signed by a key that was not given")]
    UnknownKey,
    #[error("its signature is wrong: it was altered, or somebody else wrote it")]
    Signature,
    #[error("it does not follow from the line before it: lines were removed, exchanged or inserted")]
    Unlinked,
    #[error("a chain in it is shorter than in the line before it")]
    Shorter,
    #[error("there are more lines than a file can have")]
    TooMany,
    #[error("the file cannot be read from here on")]
    Unreadable,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    version: u8,
    number: u64,
    at: String,
    previous: String,
    /// Chain, rows, hash.
    chains: Vec<(i16, i64, String)>,
    key: String,
    signature: String,
}

impl SignedHeads {
    /// Signs heads as the line after `last`.
    ///
    /// # Errors
    /// Those of the key store.
    pub fn sign(
        last: Option<&SignedHeads>,
        at: OffsetDateTime,
        heads: Vec<Head>,
        signer: &dyn Signer,
        key: &PublicKey,
    ) -> Result<SignedHeads, pki::SignError> {
        // A line keeps microseconds, and what is signed must be what is read again.
        let excess = i64::from(at.nanosecond() % 1_000);
        let mut line = SignedHeads {
            number: last.map_or(1, |last| last.number + 1),
            at: domain::clock::in_utc(at) - time::Duration::nanoseconds(excess),
            previous: last.map_or([0; 32], SignedHeads::link),
            heads,
            key_id: key.key_id(),
            signature: Vec::new(),
        };
        line.signature = signer.sign(&line.signed_bytes())?;
        Ok(line)
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// [`Fault::TooLong`], [`Fault::NotALine`].
    pub fn parse(line: &[u8]) -> Result<SignedHeads, Fault> {
        if line.len() > MOST_LINE_BYTES {
            return Err(Fault::TooLong);
        }
        let line: Line = serde_json::from_slice(line).map_err(|_| Fault::NotALine)?;
        let at = OffsetDateTime::parse(&line.at, &Rfc3339).map_err(|_| Fault::NotALine)?;
        let signature = bytes(&line.signature).ok_or(Fault::NotALine)?;
        let head = |(chain, seq, hash): &(i16, i64, String)| {
            Some(Head { chain: *chain, seq: *seq, hash: array(hash)? })
        };
        let heads: Option<Vec<Head>> = line.chains.iter().map(head).collect();
        let heads = heads.ok_or(Fault::NotALine)?;
        let is_sound = line.version == 1
            && line.number > 0
            && line.number < u64::MAX
            && at.offset().is_utc()
            && at.nanosecond() % 1_000 == 0
            && (1..=MOST_SIGNATURE).contains(&signature.len())
            && heads.len() <= MOST_CHAINS
            && heads.iter().all(|head| head.chain >= 0 && head.seq >= 0)
            && heads.is_sorted_by(|a, b| a.chain < b.chain);
        if !is_sound {
            return Err(Fault::NotALine);
        }
        Ok(SignedHeads {
            number: line.number,
            at,
            previous: array(&line.previous).ok_or(Fault::NotALine)?,
            heads,
            key_id: array(&line.key).ok_or(Fault::NotALine)?,
            signature,
        })
    }

    /// The line as it stands in a file, without its end.
    pub fn to_line(&self) -> String {
        let line = Line {
            version: 1,
            number: self.number,
            at: self
                .at
                .format(&Rfc3339)
                .expect("a moment that was parsed or read off a clock has four digits"),
            previous: hex(&self.previous),
            chains: self.heads.iter().map(|head| (head.chain, head.seq, hex(&head.hash))).collect(),
            key: hex(&self.key_id),
            signature: hex(&self.signature),
        };
        serde_json::to_string(&line).expect("numbers and texts are JSON")
    }

    /// What is signed. Everything has its place, so that no two lines have the same bytes.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"dancu audit heads, version 1\0".to_vec();
        bytes.extend(self.number.to_be_bytes());
        bytes.extend((self.at.unix_timestamp_nanos() / 1_000).to_be_bytes());
        bytes.extend(self.previous);
        bytes.extend(self.key_id);
        bytes.extend((self.heads.len() as u64).to_be_bytes());
        for head in &self.heads {
            bytes.extend(head.chain.to_be_bytes());
            bytes.extend(head.seq.to_be_bytes());
            bytes.extend(head.hash);
        }
        bytes
    }

    /// What the line after it repeats.
    pub fn link(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.signed_bytes());
        hasher.update(&self.signature);
        hasher.finalize().into()
    }

    /// Whether one of these keys signed it.
    ///
    /// # Errors
    /// [`Fault::UnknownKey`], [`Fault::Signature`].
    pub fn check(&self, keys: &[PublicKey]) -> Result<(), Fault> {
        let key = keys.iter().find(|key| key.key_id() == self.key_id).ok_or(Fault::UnknownKey)?;
        let scheme = SignatureAlgorithm::EcdsaP256Sha256.scheme();
        verify_signature(scheme, &spki(key), &self.signed_bytes(), &self.signature)
            .map_err(|_| Fault::Signature)
    }

    /// Whether it stands after `last`.
    fn follows(&self, last: &SignedHeads) -> Result<(), Fault> {
        if last.number.checked_add(1) != Some(self.number) || self.previous != last.link() {
            return Err(Fault::Unlinked);
        }
        let rows = |chain| self.heads.iter().find(|head| head.chain == chain).map_or(-1, |head| head.seq);
        if last.heads.iter().any(|head| rows(head.chain) < head.seq) {
            return Err(Fault::Shorter);
        }
        Ok(())
    }
}

/// Reads a file of signed heads: every line is signed by one of these keys and follows from the one before
/// it. The first may have any number, since a long file may be cut into several.
///
/// # Errors
/// The number of the first line that is not right, from 1, and what is wrong with it.
pub fn read(mut source: impl BufRead, keys: &[PublicKey]) -> Result<Vec<SignedHeads>, (usize, Fault)> {
    let mut lines: Vec<SignedHeads> = Vec::new();
    loop {
        let number = lines.len() + 1;
        let mut line = Vec::new();
        let most = MOST_LINE_BYTES as u64 + 1;
        let read = source.by_ref().take(most).read_until(b'\n', &mut line);
        read.map_err(|_| (number, Fault::Unreadable))?;
        if line.is_empty() {
            return Ok(lines);
        }
        if line.pop_if(|byte| *byte == b'\n').is_none() && line.len() > MOST_LINE_BYTES {
            return Err((number, Fault::TooLong));
        }
        if number > MOST_LINES {
            return Err((number, Fault::TooMany));
        }
        let parsed = SignedHeads::parse(&line).map_err(|fault| (number, fault))?;
        parsed.check(keys).map_err(|fault| (number, fault))?;
        if let Some(last) = lines.last() {
            parsed.follows(last).map_err(|fault| (number, fault))?;
        }
        lines.push(parsed);
    }
}

/// SubjectPublicKeyInfo of a key on P-256 (RFC 5480 §2): what stands before the point is the same for all.
fn spki(key: &PublicKey) -> Vec<u8> {
    const BEFORE: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    [&BEFORE[..], &key.to_point()].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower-case hexadecimal, and nothing else: one value has one form.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    bytes(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hsm::SoftwareSigner;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use time::macros::datetime;

    fn key(seed: u64) -> (SoftwareSigner, PublicKey) {
        let signer = SoftwareSigner::generate(&mut StdRng::seed_from_u64(seed));
        let public = PublicKey::from_spki(signer.public_key()).unwrap();
        (signer, public)
    }

    /// Three lines of two growing chains.
    fn three(signer: &SoftwareSigner, key: &PublicKey) -> Vec<SignedHeads> {
        let mut lines: Vec<SignedHeads> = Vec::new();
        for n in 0..3u8 {
            let head = |chain| Head { chain, seq: i64::from(n) * 7, hash: [n; 32] };
            let at = datetime!(2026-01-15 01:00:00.123456789 UTC) + time::Duration::minutes(n.into());
            let heads = vec![head(0), head(1)];
            lines.push(SignedHeads::sign(lines.last(), at, heads, signer, key).unwrap());
        }
        lines
    }

    fn file(lines: &[SignedHeads]) -> Vec<u8> {
        lines.iter().flat_map(|line| (line.to_line() + "\n").into_bytes()).collect()
    }

    #[test]
    fn lines_are_read_as_they_were_signed() {
        let (signer, key) = key(1);
        let lines = three(&signer, &key);
        assert_eq!(read(&file(&lines)[..], std::slice::from_ref(&key)).unwrap(), lines);
        assert_eq!(read(&file(&lines[1..])[..], &[key]).unwrap(), lines[1..]);
    }

    #[test]
    fn a_line_that_was_touched_is_found() {
        let (signer, public) = key(1);
        let (other, another) = key(2);
        let lines = three(&signer, &public);
        let check = |lines: &[SignedHeads], expected: (usize, Fault)| {
            assert_eq!(read(&file(lines)[..], std::slice::from_ref(&public)).unwrap_err(), expected);
        };
        let with = |change: &dyn Fn(&mut SignedHeads)| {
            let mut lines = lines.clone();
            change(&mut lines[1]);
            lines
        };
        check(&with(&|line| line.heads[1].hash[0] ^= 1), (2, Fault::Signature));
        check(&with(&|line| line.heads[1].seq += 1), (2, Fault::Signature));
        check(&with(&|line| line.at += time::Duration::SECOND), (2, Fault::Signature));
        check(&with(&|line| line.signature[9] ^= 1), (2, Fault::Signature));
        check(&[lines[0].clone(), lines[2].clone()], (2, Fault::Unlinked));
        check(&[lines[0].clone(), lines[0].clone()], (2, Fault::Unlinked));
        // Whoever has another key signs what is not asked for, and cannot say that it was this one.
        let forged =
            SignedHeads::sign(Some(&lines[0]), lines[1].at, lines[1].heads.clone(), &other, &another);
        let forged = forged.unwrap();
        check(&[lines[0].clone(), forged.clone()], (2, Fault::UnknownKey));
        check(&[lines[0].clone(), SignedHeads { key_id: public.key_id(), ..forged }], (2, Fault::Signature));
        let mut shorter = lines[2].heads.clone();
        shorter[0].seq = 3;
        let shorter = SignedHeads::sign(Some(&lines[2]), lines[2].at, shorter, &signer, &public).unwrap();
        check(&[lines[2].clone(), shorter], (2, Fault::Shorter));
    }

    #[test]
    fn any_bytes_give_lines_or_a_fault() {
        let (signer, key) = key(1);
        let signed = three(&signer, &key);
        let whole = file(&signed);
        let keys = [key];
        let mut rng = StdRng::seed_from_u64(3);
        for _ in 0..2_000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + rng.next_u32() % 4 {
                let at = rng.next_u32() as usize % bytes.len();
                match rng.next_u32() % 3 {
                    0 => bytes[at] = rng.next_u32() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, b"0\"[],{}\n"[rng.next_u32() as usize % 8]),
                }
            }
            let Ok(lines) = read(&bytes[..], &keys) else { continue };
            // What is taken for signed was signed.
            assert!(lines.iter().all(|line| signed.contains(line)), "{}", String::from_utf8_lossy(&bytes));
        }
        for bytes in [&b""[..], b"\n", b"{}", &[b'a'; MOST_LINE_BYTES + 2], b"null\n", &[0xff; 40]] {
            assert!(read(bytes, &keys).map_or(true, |lines| lines.is_empty()));
        }
        let long = [b' '; 2 * MOST_LINE_BYTES];
        assert_eq!(read(&long[..], &keys), Err((1, Fault::TooLong)));
    }
}
