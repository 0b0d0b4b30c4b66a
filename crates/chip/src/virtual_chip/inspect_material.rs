//! Authorities, verifiers and inspection systems of the tests, and a chip that trusts one of them.

use std::sync::Arc;

use ecdsa::signature::Signer as _;
use rand::Rng;
use time::Date;
use time::macros::date;

use super::tests::*;
use super::*;
use crate::terminal::{InspectionSystem, TrustAnchor};
use crate::{Lengths, ReadFile, Session, Step};
use card::tlv::{self, Tag};
use pki::{
    Authorization, CvCertificate, CvPublicKey, CvRole, CvSubject, HolderReference, ParameterForm, PublicKey,
    Rights, SignError, SignatureAlgorithm, Signer, SigningToken,
};

pub(super) const TODAY: Date = date!(2021 - 04 - 06);
pub(super) const FINGERS: Rights = Rights { fingers: true, irises: false };

/// A key on brainpoolP256r1, as the chips' own are.
pub(super) struct Key {
    key: ecdsa::SigningKey<bp256::BrainpoolP256r1>,
    public: Vec<u8>,
}

impl Key {
    pub(super) fn of(seed: u64) -> Arc<Key> {
        let mut secret = [0; 32];
        rng(seed).fill_bytes(&mut secret);
        secret[0] &= 0x7F;
        let key = ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        let public =
            PublicKey::Ec { curve: pki::Curve::BrainpoolP256r1, point }.to_spki(ParameterForm::Named);
        Arc::new(Key { key, public })
    }

    pub(super) fn certified(&self) -> CvPublicKey {
        CvPublicKey::from_spki(&self.public).unwrap()
    }
}

impl Signer for Key {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature: ecdsa::Signature<bp256::BrainpoolP256r1> = self.key.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

pub(super) fn sign(prepared: pki::PreparedCvCertificate, key: &Key) -> CvCertificate {
    let token = SigningToken::after_recording(prepared.serial());
    prepared.sign(token, key).unwrap()
}

pub(super) fn subject<'a>(
    holder: (&str, u32),
    role: CvRole,
    rights: Rights,
    key: &'a Key,
    effective: Date,
) -> CvSubject<'a> {
    let expires = role.longest().end_from(effective.midnight().assume_utc()).date();
    CvSubject {
        holder: HolderReference::new("VN", holder.0, holder.1).unwrap(),
        authorization: Authorization { role, rights },
        public_key: &key.public,
        effective,
        expires,
    }
}

/// The CVCA with the key of this number.
pub(super) fn cvca(number: u32, from: Date) -> (CvCertificate, Arc<Key>) {
    let key = Key::of(u64::from(number));
    let wanted = subject(("CVCA", number), CvRole::Cvca, Rights::ALL, &key, from);
    (sign(pki::prepare_cvca(&wanted).unwrap(), &key), key)
}

/// What makes one inspection system differ from the next.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) cvca: u32,
    pub(super) verifier: CvRole,
    pub(super) verifier_rights: Rights,
    pub(super) rights: Rights,
    pub(super) from: Date,
}

pub(super) const USUAL: Wanted = Wanted {
    cvca: 1,
    verifier: CvRole::DomesticVerifier,
    verifier_rights: Rights::ALL,
    rights: FINGERS,
    from: TODAY,
};

pub(super) fn certificates(wanted: Wanted) -> Vec<CvCertificate> {
    let (top, top_key) = cvca(wanted.cvca, wanted.from.min(TODAY));
    let (verifier_key, own_key) = (Key::of(50), Key::of(60));
    let Wanted { verifier, verifier_rights, rights, from, .. } = wanted;
    let below = subject(("DVHANOI", 1), verifier, verifier_rights, &verifier_key, from);
    let below = pki::prepare_cv_certificate(&top, top_key.certified(), &below).unwrap();
    let below = sign(below, &top_key);
    let own = subject(("DESK", 1), CvRole::InspectionSystem, rights, &own_key, from);
    let own = pki::prepare_cv_certificate(&below, verifier_key.certified(), &own).unwrap();
    vec![sign(own, &verifier_key), below, top]
}

pub(super) fn system(wanted: Wanted) -> InspectionSystem {
    InspectionSystem::new(certificates(wanted), Key::of(60)).unwrap()
}

/// A chip that trusts the CVCA's first key.
pub(super) fn trusting() -> Chip {
    let anchor = TrustAnchor::new(cvca(1, TODAY).0, TODAY).unwrap();
    let mut chip = chip().trusting(&anchor).unwrap();
    chip.memory.files.insert(group(4), tlv::encode(Tag(0x76), &[&[4; 40]]));
    chip
}

/// A session after Chip Authentication.
pub(super) fn proven(chip: &mut Chip, lengths: Lengths) -> Session<&mut Chip> {
    let mut session = opened(chip, &can("012345"), lengths);
    let key = session_key(&mut session);
    assert!(session.chip_authentication(&key, None, &mut rng(6)).unwrap());
    session
}

pub(super) fn fingers(session: &mut Session<&mut Chip>) -> ReadFile {
    session.read_file(group(3), &mut |_, _| ()).unwrap()
}

pub(super) fn refusal(result: Result<(), Error>) -> (Step, u16) {
    match result.unwrap_err() {
        Error::Refused { step, status } => (step, status.0),
        other => panic!("{other}"),
    }
}

/// Sends one command of Terminal Authentication and gives the status word.
pub(super) fn send(session: &mut Session<&mut Chip>, ins: u8, p1: u8, p2: u8, data: &[u8]) -> u16 {
    let le = (ins == 0x84).then_some(8);
    session.transmit(&Command::new(0, ins, p1, p2, data, le)).unwrap().status.0
}

pub(super) fn reference(text: &str) -> Vec<u8> {
    tlv::encode(Tag(0x83), &[text.as_bytes()])
}

/// A certificate with another body, signed all the same: what an authority could do that keeps to no rules.
pub(super) fn forged(
    certificate: &CvCertificate,
    key: &Key,
    change: impl FnOnce(&mut Vec<u8>),
) -> CvCertificate {
    let content = certificate.content();
    // 5F37, a length of one byte, and 64 bytes.
    let mut body = content[..content.len() - 67].to_vec();
    change(&mut body);
    let signature = pki::sign_plain(key, &body).unwrap();
    CvCertificate::from_content(&[body, tlv::encode(Tag(0x5F37), &[&signature])].concat()).unwrap()
}

/// Puts role and rights into a body.
pub(super) fn authorise(body: &mut [u8], role_and_rights: u8) {
    let at = body.windows(2).rposition(|w| w == [0x53, 0x01]).unwrap() + 2;
    body[at] = role_and_rights;
}
