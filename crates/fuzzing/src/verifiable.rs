//! Card-verifiable certificates.

use std::sync::LazyLock;

use time::macros::date;

use crate::material::rng;
use chip::TrustAnchor;
use hsm::SoftwareSigner;
use pki::{
    Authorization, CvCertificate, CvPublicKey, CvRole, CvSubject, HolderReference, Parameters, PkiError,
    PreparedCvCertificate, Rights, Signer, SigningToken, prepare_cv_certificate, prepare_cv_link,
    prepare_cvca,
};

struct Authority {
    key: CvPublicKey,
    certificates: [CvCertificate; 3],
}

static HOME: LazyLock<Authority> = LazyLock::new(|| authority().expect("our own certificates"));

/// A CVCA, a verifier under it, and the link to the CVCA's next key.
fn authority() -> Result<Authority, PkiError> {
    let mut rng = rng(41);
    let [own, below, next] = [(); 3].map(|()| SoftwareSigner::generate(&mut rng).reproducible());
    let subject = |mnemonic, sequence, role, public_key| {
        Ok::<_, PkiError>(CvSubject {
            holder: HolderReference::new("VN", mnemonic, sequence)?,
            authorization: Authorization { role, rights: Rights::ALL },
            public_key,
            effective: date!(2021 - 04 - 01),
            expires: date!(2021 - 06 - 30),
        })
    };
    let cvca = sign(prepare_cvca(&subject("CVCA", 1, CvRole::Cvca, own.public_key())?)?, &own)?;
    let new = sign(prepare_cvca(&subject("CVCA", 2, CvRole::Cvca, next.public_key())?)?, &next)?;
    let key = cvca.public_key(None)?;
    let wanted = subject("DV", 1, CvRole::DomesticVerifier, below.public_key())?;
    let verifier = sign(prepare_cv_certificate(&cvca, key.clone(), &wanted)?, &own)?;
    let link = sign(prepare_cv_link(&cvca, key.clone(), &new, date!(2021 - 05 - 01))?, &own)?;
    Ok(Authority { key, certificates: [cvca, verifier, link] })
}

fn sign(prepared: PreparedCvCertificate, key: &SoftwareSigner) -> Result<CvCertificate, PkiError> {
    let token = SigningToken::after_recording(prepared.serial());
    prepared.sign(token, key)
}

/// What is read has kept its bytes, whole and without the object around them; and only what our CVCA signed
/// is under its key.
pub fn certificate(data: &[u8]) -> bool {
    let Ok(certificate) = CvCertificate::parse(data) else {
        // The form without the object around it, in which a chip gets it.
        return CvCertificate::from_content(data).is_ok_and(|read| {
            assert_eq!(read.content(), data);
            certificate(read.bytes())
        });
    };
    assert_eq!(certificate.bytes(), data);
    let again =
        CvCertificate::from_content(certificate.content()).expect("the same without its outermost tag");
    assert_eq!(again, certificate);
    assert!(certificate.effective() <= certificate.expires());
    if let Ok(key) = certificate.public_key(None) {
        let object = key.to_object(Parameters::Present);
        assert_eq!(CvPublicKey::from_object(&object).expect("what we write can be read"), key);
    }
    let ours = HOME.certificates.iter().any(|ours| ours.bytes() == data);
    assert!(certificate.verify(&HOME.key).is_err() || ours, "nobody else signs for our CVCA");
    true
}

/// What a chip that gives out fingers begins with.
pub fn anchor() -> TrustAnchor {
    TrustAnchor::new(HOME.certificates[0].clone(), date!(2021 - 04 - 06)).expect("our own CVCA")
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let whole = HOME.certificates.iter().map(|certificate| certificate.bytes().to_vec());
    whole.chain([HOME.certificates[1].content().to_vec()]).collect()
}
