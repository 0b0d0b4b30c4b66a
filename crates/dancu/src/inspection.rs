//! Who may read fingers: the country verifying CA of the installation, the verifiers under it, and the
//! inspection systems that they authorise. Certificates are files beside the keys, named by their holders'
//! references.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use time::Date;

use centre::{Centre, Keys};
use chip::{InspectionSystem, TrustAnchor};
use hsm::SoftwareSigner;
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

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make the country verifying CA (CVCA), which says who may read the fingers on cards personalised from
    /// now on.
    Cvca {
        /// Change its key: a new certificate, and a link from the old key to it, by which cards learn to
        /// trust the new one.
        #[arg(long)]
        roll: bool,
        /// Also write the certificate, and the link, into this directory.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Make a document verifier (DV) under the CVCA, or renew it: a new key and its certificate, for three
    /// months.
    Dv {
        /// One to nine upper-case letters and digits, such as HANOI.
        name: String,
        #[command(flatten)]
        grant: Grant,
        /// Also write the certificate into this directory.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Authorise an inspection system under a verifier, for a month: its key and all certificates that it
    /// shows to cards, in a directory for `dancu card read --inspection-system`. Again on the same directory
    /// renews it.
    InspectionSystem {
        /// One to nine upper-case letters and digits, such as DESK1.
        name: String,
        /// The verifier's name.
        #[arg(long)]
        dv: String,
        #[command(flatten)]
        grant: Grant,
        /// The directory.
        #[arg(long)]
        out: PathBuf,
        /// A file with the passphrase that encrypts its key. Without it one is drawn, into the directory.
        #[arg(long)]
        passphrase: Option<PathBuf>,
    },
}

/// The rights that a certificate gives.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Grant {
    /// Do not let it read fingers (DG3).
    #[arg(long)]
    no_fingers: bool,
    /// Let it read irises (DG4), which cards of today do not have.
    #[arg(long)]
    irises: bool,
}

impl Grant {
    fn rights(self) -> Rights {
        Rights { fingers: !self.no_fingers, irises: self.irises }
    }
}

pub async fn run(centre: &Centre, command: &Command) -> Result<()> {
    let office = Office { centre, keys: Keys::of(centre).await?, register: Register::of(centre) };
    match command {
        Command::Cvca { roll, out } => office.cvca(*roll, out.as_deref()).await,
        Command::Dv { name, grant, out } => office.verifier(name, grant.rights(), out.as_deref()).await,
        Command::InspectionSystem { name, dv, grant, out, passphrase } => {
            office.system(name, dv, grant.rights(), out, passphrase.as_deref()).await
        }
    }
}

/// One certificate a line, like those of the country's signers: reference, role, last day, whether it is
/// over.
pub fn list(centre: &Centre) -> Result<()> {
    let today = centre.clock.now().date();
    for certificate in Register::of(centre).all()? {
        let state = if certificate.expires() < today { "over" } else { "valid" };
        println!("{} {:<18} {} {state}", certificate.holder(), role(&certificate), certificate.expires());
    }
    Ok(())
}

fn role(certificate: &CvCertificate) -> &'static str {
    match certificate.authorization().map(|authorization| authorization.role) {
        Some(CvRole::Cvca) if certificate.is_link() => "cvca_link",
        Some(CvRole::Cvca) => "cvca",
        Some(CvRole::DomesticVerifier | CvRole::ForeignVerifier) => "dv",
        Some(CvRole::InspectionSystem) => "inspection_system",
        None => "other",
    }
}

/// Whom chips that are personalised now are to trust; `None` where there is no CVCA.
pub fn anchor(centre: &Centre) -> Result<Option<TrustAnchor>> {
    let Some(cvca) = Register::of(centre).newest(CVCA)? else { return Ok(None) };
    // Certificates count days in GMT (Doc 9303-12 §7.2.3.1).
    let today = centre.clock.now().date();
    ensure!(
        cvca.expires() >= today,
        "the country verifying CA's certificate is over; change its key with `dancu pki cvca --roll`"
    );
    Ok(Some(TrustAnchor::new(cvca, today)?))
}

/// An inspection system from its directory: every certificate there, and its key. Without the name of a file
/// the passphrase is the directory's.
pub fn open(folder: &Path, passphrase: Option<&Path>) -> Result<InspectionSystem> {
    let certificates = Register { folder: folder.to_owned() }.all()?;
    let at = passphrase.map_or_else(|| folder.join("passphrase"), Path::to_owned);
    let passphrase = hsm::Passphrase::from_file(&at)?;
    let key = SoftwareSigner::load(&folder.join(SYSTEM_KEY), &passphrase)?;
    let system = InspectionSystem::new(certificates, Arc::new(key));
    system.with_context(|| format!("{}", folder.display()))
}

/// A CVCA's certificate from a file.
pub fn certificate(path: &Path) -> Result<CvCertificate> {
    let shown = || format!("{}", path.display());
    let length = fs::metadata(path).with_context(shown)?.len();
    ensure!(length <= MOST_CERTIFICATE_BYTES, "{} is too long for a certificate", path.display());
    CvCertificate::parse(&fs::read(path).with_context(shown)?).with_context(shown)
}

struct Office<'a> {
    centre: &'a Centre,
    keys: Keys,
    register: Register,
}

impl Office<'_> {
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

    async fn cvca(&self, roll: bool, out: Option<&Path>) -> Result<()> {
        let old = self.register.newest(CVCA)?;
        match (&old, roll) {
            (Some(old), false) => {
                bail!("there is a country verifying CA, {}; change its key with --roll", old.holder())
            }
            (None, true) => bail!("there is no country verifying CA yet; make one without --roll"),
            _ => {}
        }
        let holder = self.register.next(CVCA)?;
        let key = self.keys.key(key_name(&holder)).await?;
        let authorization = Authorization { role: CvRole::Cvca, rights: Rights::ALL };
        let own = prepare_cvca(&self.subject(&holder, authorization, key.as_ref(), None))?;
        self.intend(&holder).await?;
        let own = sign(own, key.as_ref())?;
        if let Some(old) = old {
            let old_key = self.keys.key(key_name(old.holder())).await?;
            let link = prepare_cv_link(&old, public(old_key.as_ref())?, &own, self.today())?;
            // First the link: a new CVCA without one would leave every older card behind.
            self.keep(&sign(link, old_key.as_ref())?, out).await?;
        }
        self.keep(&own, out).await
    }

    async fn verifier(&self, name: &str, rights: Rights, out: Option<&Path>) -> Result<()> {
        let cvca = self
            .register
            .newest(CVCA)?
            .context("there is no country verifying CA; make one with `pki cvca`")?;
        ensure!(name != CVCA, "{CVCA} is the authority's own name");
        let cvca_key = self.keys.key(key_name(cvca.holder())).await?;
        let holder = self.register.next(name)?;
        let key = self.keys.key(key_name(&holder)).await?;
        let authorization = Authorization { role: CvRole::DomesticVerifier, rights };
        let subject = self.subject(&holder, authorization, key.as_ref(), Some(&cvca));
        let prepared = prepare_cv_certificate(&cvca, public(cvca_key.as_ref())?, &subject)?;
        self.intend(&holder).await?;
        self.keep(&sign(prepared, cvca_key.as_ref())?, out).await
    }

    async fn system(
        &self,
        name: &str,
        dv: &str,
        rights: Rights,
        out: &Path,
        passphrase: Option<&Path>,
    ) -> Result<()> {
        let verifier = self.register.newest(dv)?;
        let verifier = verifier
            .with_context(|| format!("there is no verifier {dv}; make it with `dancu pki dv {dv}`"))?;
        let verifier_key = self.keys.key(key_name(verifier.holder())).await?;
        fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
        let at = passphrase.map_or_else(|| out.join("passphrase"), Path::to_owned);
        let key = centre::signing_key(
            &out.join(SYSTEM_KEY),
            verifier_key.algorithm(),
            &centre::passphrase_at(&at)?,
        )?;
        let holder = self.register.next(name)?;
        let authorization = Authorization { role: CvRole::InspectionSystem, rights };
        let subject = self.subject(&holder, authorization, &key, Some(&verifier));
        let prepared = prepare_cv_certificate(&verifier, public(verifier_key.as_ref())?, &subject)?;
        self.intend(&holder).await?;
        self.keep(&sign(prepared, verifier_key.as_ref())?, Some(out)).await?;
        // Everything between what a card may trust and this system.
        write(out, &verifier)?;
        for certificate in self.register.all()?.iter().filter(|certificate| certificate.is_link()) {
            write(out, certificate)?;
        }
        Ok(())
    }

    /// Records the reference before anything is signed under it, so that no other key ever gets it.
    async fn intend(&self, holder: &HolderReference) -> Result<()> {
        self.register.reserve(holder)?;
        self.audit("cv_certificate.intend", holder, serde_json::Value::Null).await
    }

    async fn keep(&self, certificate: &CvCertificate, out: Option<&Path>) -> Result<()> {
        write(&self.register.folder, certificate)?;
        let detail = serde_json::json!({
            "issuer": certificate.issuer().as_str(),
            "expires": certificate.expires().to_string(),
        });
        self.audit("cv_certificate.issue", certificate.holder(), detail).await?;
        if let Some(folder) = out {
            write(folder, certificate)?;
        }
        let authorization = certificate.authorization().context("a certificate of our own")?;
        let what = if certificate.is_link() { "link to the next key" } else { authorization.role.name() };
        let Rights { fingers, irises } = authorization.rights;
        let rights = match (fingers, irises) {
            (true, true) => "fingers, irises",
            (true, false) => "fingers",
            (false, true) => "irises",
            (false, false) => "nothing",
        };
        println!(
            "{} {what}, by {}, {} to {}, reads {rights}",
            certificate.holder(),
            certificate.issuer(),
            certificate.effective(),
            certificate.expires()
        );
        Ok(())
    }

    async fn audit(&self, action: &str, holder: &HolderReference, detail: serde_json::Value) -> Result<()> {
        let entry = store::audit::Entry {
            at: self.centre.clock.now(),
            actor: "centre".to_owned(),
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

fn public(key: &dyn Signer) -> Result<CvPublicKey> {
    Ok(CvPublicKey::from_spki(key.public_key())?)
}

/// The name of the key of this reference in the key store.
fn key_name(holder: &HolderReference) -> String {
    format!("cv-{}", holder.as_str().to_lowercase())
}

fn sign(prepared: PreparedCvCertificate, key: &dyn Signer) -> Result<CvCertificate> {
    let token = SigningToken::after_recording(prepared.serial());
    Ok(prepared.sign(token, key)?)
}

/// Whole or not at all. A link has its holder's name too, which is that of the new key's own certificate.
fn write(folder: &Path, certificate: &CvCertificate) -> Result<()> {
    let link = if certificate.is_link() { "-link" } else { "" };
    let path = folder.join(format!("{}{link}.{CERTIFICATE}", certificate.holder()));
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
    file.write_all(certificate.bytes())?;
    file.sync_all()?;
    fs::rename(&draft, &path).with_context(|| format!("{}", path.display()))
}

/// A directory of certificates.
struct Register {
    folder: PathBuf,
}

impl Register {
    fn of(centre: &Centre) -> Register {
        Register { folder: centre.place.data.join("keys").join("inspection") }
    }

    /// In the order of their names.
    fn all(&self) -> Result<Vec<CvCertificate>> {
        let mut paths = self.paths(CERTIFICATE)?;
        paths.sort();
        paths.iter().map(|path| certificate(path)).collect()
    }

    fn paths(&self, extension: &str) -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("{}", self.folder.display()))?,
        };
        let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        Ok(paths
            .into_iter()
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect())
    }

    /// The certificate of this holder's newest key.
    fn newest(&self, mnemonic: &str) -> Result<Option<CvCertificate>> {
        let holder = format!("{COUNTRY}{mnemonic}");
        let own =
            self.all()?.into_iter().filter(|found| found.holder().holder() == holder && !found.is_link());
        Ok(own.max_by_key(|found| found.holder().sequence()))
    }

    /// The reference of this holder's next key: after all that were ever intended.
    fn next(&self, mnemonic: &str) -> Result<HolderReference> {
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

    fn reserve(&self, holder: &HolderReference) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("{}", self.folder.display()))?;
        let path = self.folder.join(format!("{holder}.{INTENDED}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.with_context(|| {
            format!("{} is taken by somebody who works here too; try again", path.display())
        })?;
        file.sync_all()?;
        fs::File::open(&self.folder)?.sync_all().with_context(|| format!("{}", self.folder.display()))
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
