//! Who may read fingers: the country verifying CA of the installation, the verifiers under it, and the
//! inspection systems that they authorise. Certificates are files beside the keys, named by their holders'
//! references.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use time::Date;

use crate::key_files::{key_folder, make_passphrase, make_signing_key};
use crate::{Error, Installation, Keys};
use chip::{InspectionSystem, TrustAnchor};
use domain::Actor;
use hsm::{Passphrase, SoftwareSigner};
use pki::{
    Authorization, CvCertificate, CvPublicKey, CvRole, CvSubject, HolderReference, PreparedCvCertificate,
    Rights, Signer, SigningToken, prepare_cv_certificate, prepare_cv_link, prepare_cvca,
};

const COUNTRY: &str = "VN";
const CVCA: &str = "CVCA";
/// What files of certificates end in.
const CERTIFICATE: &str = "cvcert";
/// What the record of a reference ends in that is about to be signed.
const INTENDED: &str = "intended";
/// The key of an inspection system, in the directory of its certificates.
const SYSTEM_KEY: &str = "inspection-system.key";
/// Longest file that a certificate is read from.
const MOST_CERTIFICATE_BYTES: u64 = 4_096;

/// Whom chips that are personalised now are to trust; `None` where there is no CVCA.
///
/// # Errors
/// [`Error::CvcaOver`]; a certificate that cannot be read.
pub fn anchor(centre: &Installation) -> Result<Option<TrustAnchor>, Error> {
    let Some(cvca) = Register::of(centre).newest(CVCA)? else { return Ok(None) };
    // Certificates count days in GMT (Doc 9303-12 §7.2.3.1).
    let today = centre.clock.now().date();
    if cvca.expires() < today {
        return Err(Error::CvcaOver);
    }
    Ok(Some(TrustAnchor::new(cvca, today)?))
}

/// An inspection system from its directory: every certificate there, and its key. Without the name of a file
/// the passphrase is the directory's.
///
/// # Errors
/// A file that cannot be read; a key that does not open; certificates that are not this key's.
pub fn open(folder: &Path, passphrase: Option<&Path>) -> Result<InspectionSystem, Error> {
    let certificates = Register { folder: folder.to_owned() }.all()?;
    let at = passphrase.map_or_else(|| folder.join("passphrase"), Path::to_owned);
    let passphrase = Passphrase::from_file(&at)?;
    let key = SoftwareSigner::load(&folder.join(SYSTEM_KEY), &passphrase)?;
    InspectionSystem::new(certificates, Arc::new(key))
        .map_err(|source| Error::InspectionSystem { folder: folder.to_owned(), source })
}

/// A CVCA's certificate from a file.
///
/// # Errors
/// A file that cannot be read, or is no certificate.
pub fn certificate(path: &Path) -> Result<CvCertificate, Error> {
    let doing = "read this certificate";
    let length = fs::metadata(path).map_err(Error::file(path, doing))?.len();
    if length > MOST_CERTIFICATE_BYTES {
        return Err(Error::TooLong { path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(Error::file(path, doing))?;
    CvCertificate::parse(&bytes).map_err(|source| Error::Certificate { path: path.to_owned(), source })
}

/// All certificates of this installation, in the order of their names.
///
/// # Errors
/// A file that cannot be read, or is no certificate.
pub fn all(centre: &Installation) -> Result<Vec<CvCertificate>, Error> {
    Register::of(centre).all()
}

/// Writes a certificate into a directory, whole or not at all. A link has its holder's name too, which is
/// that of the new key's own certificate.
///
/// # Errors
/// [`Error::File`].
pub fn write(folder: &Path, certificate: &CvCertificate) -> Result<(), Error> {
    let link = if certificate.is_link() { "-link" } else { "" };
    let path = folder.join(format!("{}{link}.{CERTIFICATE}", certificate.holder()));
    let draft = path.with_extension("draft");
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(certificate.bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    };
    write().map_err(Error::file(&path, "write this certificate"))
}

/// Whether an authority that is there gets another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CvcaKey {
    /// There is no authority yet.
    First,
    /// It changes its key.
    Next,
}

/// Where certificates are issued. What it issues is kept beside the keys and audited.
pub struct Office<'a> {
    centre: &'a Installation,
    keys: Keys,
    register: Register,
}

impl<'a> Office<'a> {
    /// The office of this installation.
    ///
    /// # Errors
    /// Those of [`Keys::of`].
    pub async fn of(centre: &'a Installation) -> Result<Office<'a>, Error> {
        Ok(Office { centre, keys: Keys::of(centre).await?, register: Register::of(centre) })
    }

    fn today(&self) -> Date {
        self.centre.clock.now().date()
    }

    /// A certificate of this role from today on, until the issuer's ends or the role's longest term.
    fn subject<'k>(
        &self,
        holder: &HolderReference,
        authorization: Authorization,
        key: &'k dyn Signer,
        issuer: Option<&CvCertificate>,
    ) -> CvSubject<'k> {
        let effective = self.today();
        let longest = authorization.role.longest().end_from(effective.midnight().assume_utc()).date();
        let expires = issuer.map_or(longest, |issuer| longest.min(issuer.expires()));
        CvSubject { holder: holder.clone(), authorization, public_key: key.public_key(), effective, expires }
    }

    /// Makes the country verifying CA, or changes its key: the new certificate, and before it the link from
    /// the old.
    ///
    /// # Errors
    /// [`Error::CvcaThere`], [`Error::NoCvca`]; a key or file that cannot be used.
    pub async fn cvca(&self, key: CvcaKey) -> Result<Vec<CvCertificate>, Error> {
        let old = self.register.newest(CVCA)?;
        match (&old, key) {
            (Some(old), CvcaKey::First) => return Err(Error::CvcaThere { holder: old.holder().to_string() }),
            (None, CvcaKey::Next) => return Err(Error::NoCvca),
            (None, CvcaKey::First) | (Some(_), CvcaKey::Next) => {}
        }
        let holder = self.register.next(CVCA)?;
        let key = self.keys.make(key_name(&holder)).await?;
        let authorization = Authorization { role: CvRole::Cvca, rights: Rights::ALL };
        let own = prepare_cvca(&self.subject(&holder, authorization, key.as_ref(), None))?;
        self.intend(&holder).await?;
        let own = sign(own, key.as_ref())?;
        let mut issued = Vec::new();
        if let Some(old) = old {
            let old_key = self.keys.key(key_name(old.holder())).await?;
            let link = prepare_cv_link(&old, public(old_key.as_ref())?, &own, self.today())?;
            // First the link: a new CVCA without one would leave every older card behind.
            issued.push(self.keep(sign(link, old_key.as_ref())?).await?);
        }
        issued.push(self.keep(own).await?);
        Ok(issued)
    }

    /// Makes a document verifier under the CVCA, or renews it.
    ///
    /// # Errors
    /// [`Error::NoCvca`], [`Error::CvcasName`]; a key or file that cannot be used.
    pub async fn verifier(&self, name: &str, rights: Rights) -> Result<CvCertificate, Error> {
        let cvca = self.register.newest(CVCA)?.ok_or(Error::NoCvca)?;
        if name == CVCA {
            return Err(Error::CvcasName);
        }
        let cvca_key = self.keys.key(key_name(cvca.holder())).await?;
        let holder = self.register.next(name)?;
        let key = self.keys.make(key_name(&holder)).await?;
        let authorization = Authorization { role: CvRole::DomesticVerifier, rights };
        let subject = self.subject(&holder, authorization, key.as_ref(), Some(&cvca));
        let prepared = prepare_cv_certificate(&cvca, public(cvca_key.as_ref())?, &subject)?;
        self.intend(&holder).await?;
        self.keep(sign(prepared, cvca_key.as_ref())?).await
    }

    /// Authorises an inspection system under a verifier: its key and all certificates that it shows to cards,
    /// in the directory `out`. Without a passphrase file one is drawn, into the directory.
    ///
    /// # Errors
    /// [`Error::NoVerifier`]; a key or file that cannot be used.
    pub async fn system(
        &self,
        name: &str,
        dv: &str,
        rights: Rights,
        out: &Path,
        passphrase: Option<&Path>,
    ) -> Result<CvCertificate, Error> {
        let verifier = self.register.newest(dv)?.ok_or_else(|| Error::NoVerifier { name: dv.to_owned() })?;
        let verifier_key = self.keys.key(key_name(verifier.holder())).await?;
        fs::create_dir_all(out).map_err(Error::file(out, "make this directory"))?;
        let at = passphrase.map_or_else(|| out.join("passphrase"), Path::to_owned);
        let key = make_signing_key(&out.join(SYSTEM_KEY), verifier_key.algorithm(), &make_passphrase(&at)?)?;
        let holder = self.register.next(name)?;
        let authorization = Authorization { role: CvRole::InspectionSystem, rights };
        let subject = self.subject(&holder, authorization, &key, Some(&verifier));
        let prepared = prepare_cv_certificate(&verifier, public(verifier_key.as_ref())?, &subject)?;
        self.intend(&holder).await?;
        let own = self.keep(sign(prepared, verifier_key.as_ref())?).await?;
        write(out, &own)?;
        // Everything between what a card may trust and this system.
        write(out, &verifier)?;
        for certificate in self.register.all()?.iter().filter(|certificate| certificate.is_link()) {
            write(out, certificate)?;
        }
        Ok(own)
    }

    /// Records the reference before anything is signed under it, so that no other key ever gets it.
    async fn intend(&self, holder: &HolderReference) -> Result<(), Error> {
        self.register.reserve(holder)?;
        self.audit("cv_certificate.intend", holder, Value::Null).await
    }

    async fn keep(&self, certificate: CvCertificate) -> Result<CvCertificate, Error> {
        write(&self.register.folder, &certificate)?;
        let detail = json!({
            "issuer": certificate.issuer().as_str(),
            "expires": certificate.expires().to_string(),
        });
        self.audit("cv_certificate.issue", certificate.holder(), detail).await?;
        Ok(certificate)
    }

    async fn audit(&self, action: &str, holder: &HolderReference, detail: Value) -> Result<(), Error> {
        let entry = store::audit::Entry {
            at: self.centre.clock.now(),
            actor: Actor::Centre,
            action: action.to_owned(),
            subject: format!("cv_certificate:{holder}"),
            unit_path: String::new(),
            detail,
        };
        let mut tx = self.centre.db.begin().await?;
        store::audit::append(&mut tx, &entry).await?;
        Ok(store::commit(tx).await?)
    }
}

fn public(key: &dyn Signer) -> Result<CvPublicKey, Error> {
    Ok(CvPublicKey::from_spki(key.public_key())?)
}

/// The name of the key of this reference in the key store.
fn key_name(holder: &HolderReference) -> String {
    format!("cv-{}", holder.as_str().to_lowercase())
}

fn sign(prepared: PreparedCvCertificate, key: &dyn Signer) -> Result<CvCertificate, Error> {
    let token = SigningToken::after_recording(prepared.serial());
    Ok(prepared.sign(token, key)?)
}

/// A directory of certificates.
struct Register {
    folder: PathBuf,
}

impl Register {
    fn of(centre: &Installation) -> Register {
        Register { folder: key_folder(&centre.place).join("inspection") }
    }

    /// In the order of their names.
    fn all(&self) -> Result<Vec<CvCertificate>, Error> {
        let mut paths = self.paths(CERTIFICATE)?;
        paths.sort();
        paths.iter().map(|path| certificate(path)).collect()
    }

    fn paths(&self, extension: &str) -> Result<Vec<PathBuf>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::file(&self.folder, "list this directory"))?,
        };
        let paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_, _>>()
            .map_err(Error::file(&self.folder, "list this directory"))?;
        Ok(paths
            .into_iter()
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect())
    }

    /// The certificate of this holder's newest key.
    fn newest(&self, mnemonic: &str) -> Result<Option<CvCertificate>, Error> {
        let holder = format!("{COUNTRY}{mnemonic}");
        let own =
            self.all()?.into_iter().filter(|found| found.holder().holder() == holder && !found.is_link());
        Ok(own.max_by_key(|found| found.holder().sequence()))
    }

    /// The reference of this holder's next key: after all that were ever intended.
    fn next(&self, mnemonic: &str) -> Result<HolderReference, Error> {
        let first = HolderReference::new(COUNTRY, mnemonic, 1)?;
        let mut last = 0;
        for path in self.paths(INTENDED)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let reference =
                HolderReference::parse(&name).ok().filter(|known| known.holder() == first.holder());
            last = last.max(reference.and_then(|known| known.sequence()).unwrap_or(0));
        }
        Ok(HolderReference::new(COUNTRY, mnemonic, last + 1)?)
    }

    fn reserve(&self, holder: &HolderReference) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(Error::file(&self.folder, "make this directory"))?;
        let path = self.folder.join(format!("{holder}.{INTENDED}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|source| Error::ReferenceTaken { path: path.clone(), source })?;
        file.sync_all().map_err(Error::file(&path, "write this record"))?;
        fs::File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::file(&self.folder, "write this directory"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_used_once_whatever_became_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let register = Register { folder: folder.path().join("inspection") };
        assert_eq!(register.all().unwrap(), []);
        let first = register.next("HANOI").unwrap();
        assert_eq!(first.as_str(), "VNHANOI00001");
        register.reserve(&first).unwrap();
        assert!(register.reserve(&first).is_err());
        assert_eq!(register.next("HANOI").unwrap().as_str(), "VNHANOI00002");
        assert_eq!(register.next("HANO").unwrap().as_str(), "VNHANO00001", "another holder");
        assert!(register.next("Hà Nội").is_err());
        assert_eq!(register.newest("HANOI").unwrap(), None, "nothing was signed");
    }
}
