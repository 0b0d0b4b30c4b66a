//! `dancu pki`: the country's keys, certificates and lists; and where the keys of an installation are.

use crate::centre::{Centre, Place, passphrase, signing_key};
use crate::{inspection, live};
use anyhow::{Context, Result, bail, ensure};
use hsm::{Passphrase, Pin, Token, TokenConfig};
use issue::certificates::{Certifier, hex};
use pki::{Certificate, Crl, MasterList, PublicKey, Signer, Suite};
use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::cards::certificates;

/// Longest file that a certificate or list is read from.
const MOST_FILE_BYTES: u64 = 16 << 20;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Choose algorithm and key store, and make the CSCA. Without it the first card makes one: P-256, key files.
    Init(Init),
    /// Make the next document signer: a new key and its certificate.
    IssueDs {
        /// Also write the certificate here, in DER.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Issue the revocation list of every CSCA key, after revoking a certificate if one is named.
    Crl {
        /// The serial number of a certificate to revoke, in hexadecimal.
        #[arg(long)]
        revoke: Option<String>,
        /// CRLReason (RFC 5280 §5.3.1): 1 key compromised, 3 affiliation changed, 4 superseded, 5 no longer used.
        #[arg(long, default_value_t = 1, requires = "revoke")]
        reason: u8,
        /// Days until the next list is due; Doc 9303-12 allows 90.
        #[arg(long, default_value_t = 90)]
        days: u8,
        /// Also write the lists into this directory, in DER.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Write a master list of our CSCA certificates and others', or read one.
    MasterList {
        /// Other CSCA certificates to put on the list (DER or PEM).
        #[arg(long)]
        add: Vec<PathBuf>,
        /// Write the list here.
        #[arg(long, required_unless_present = "read")]
        out: Option<PathBuf>,
        /// Read this list instead, and print the certificates on it.
        #[arg(long, conflicts_with_all = ["add", "out"], requires = "trust")]
        read: Option<PathBuf>,
        /// The CSCA certificate under which the list that is read must have been signed (DER or PEM).
        #[arg(long)]
        trust: Option<PathBuf>,
    },
    /// Change the CSCA's key: a new self-signed certificate, and a link from the old key to it.
    Roll {
        /// Also write both certificates into this directory, in DER.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    #[command(flatten)]
    Inspection(inspection::Command),
    /// One certificate a line: serial number, role, last day, whether revoked.
    List,
}

#[derive(Debug, clap::Args)]
pub struct Init {
    /// p256, brainpool-p256r1 or p384, with `-explicit` for curves by their parameters.
    #[arg(long, default_value = "p256", value_parser = suite)]
    suite: Suite,
    /// Keep the keys in a token of this PKCS#11 module instead of in key files.
    #[arg(long, requires = "token")]
    module: Option<PathBuf>,
    /// The token's label.
    #[arg(long, requires = "module")]
    token: Option<String>,
    /// A file with the token's PIN that only its owner can read.
    #[arg(long, requires = "module", conflicts_with = "pin_env")]
    pin_file: Option<PathBuf>,
    /// The environment variable with the token's PIN.
    #[arg(long, requires = "module")]
    pin_env: Option<String>,
    /// Also write the certificate here, in DER.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn suite(name: &str) -> Result<Suite> {
    let names: Vec<&str> = Suite::ALL.iter().map(|suite| suite.name).collect();
    Suite::named(name).with_context(|| format!("`{name}` is none of {}", names.join(", ")))
}

pub async fn run(place: &Place, command: &Command) -> Result<()> {
    if let Command::MasterList { read: Some(list), trust: Some(trust), .. } = command {
        return read_master_list(list, trust);
    }
    let centre = live::open(place).await?;
    match command {
        Command::Init(options) => init(&centre, options).await,
        Command::IssueDs { out } => issue_ds(&centre, out.as_deref()).await,
        Command::Crl { revoke, reason, days, out } => {
            if let Some(serial) = revoke {
                let keys = Keys::of(&centre).await?;
                keys.certifier(&centre).revoke(&serial.to_lowercase(), *reason).await?;
                println!("revoked {}", serial.to_lowercase());
            }
            crls(&centre, *days, out.as_deref()).await
        }
        Command::MasterList { add, out, .. } => {
            let out = out.as_deref().context("--out names the file of the list")?;
            master_list(&centre, add, out).await
        }
        Command::Roll { out } => roll(&centre, out.as_deref()).await,
        Command::Inspection(command) => inspection::run(&centre, command).await,
        Command::List => list(&centre).await,
    }
}

async fn init(centre: &Centre, options: &Init) -> Result<()> {
    let path = settings_path(centre);
    ensure!(
        !path.exists(),
        "{} exists: this installation has its keys; change the CSCA's with `dancu pki roll`",
        path.display()
    );
    let mut conn = centre.db.begin().await?;
    let made = store::cards::certificates::certificates(&mut conn, "csca").await?;
    drop(conn);
    ensure!(made.is_empty(), "this installation has a CSCA already; change its key with `dancu pki roll`");
    let token = match (&options.module, &options.token) {
        (Some(module), Some(label)) => Some(TokenSettings {
            module: module.clone(),
            label: label.clone(),
            pin_file: options.pin_file.clone(),
            pin_env: options.pin_env.clone(),
        }),
        _ => None,
    };
    let settings = Settings { suite: options.suite.name.to_owned(), csca: 1, token };
    // The keys are opened first: settings that lead nowhere must not be left behind.
    let keys = Keys::with(centre, settings.clone()).await?;
    let key = keys.csca(settings.csca).await?;
    settings.save(&path)?;
    let certificate = keys.certifier(centre).csca(key.as_ref()).await?;
    report("CSCA", &certificate);
    write(options.out.as_deref(), certificate.der())
}

async fn issue_ds(centre: &Centre, out: Option<&Path>) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let csca_key = keys.csca(keys.settings.csca).await?;
    let csca = keys.certifier(centre).csca(csca_key.as_ref()).await?;
    let mut conn = centre.db.begin().await?;
    let mut certified = Vec::new();
    for der in store::cards::certificates::certificates(&mut conn, "document_signer").await? {
        certified.push(Certificate::from_der(&der)?.key()?);
    }
    drop(conn);
    for number in 1.. {
        let key = keys.document_signer(number).await?;
        if certified.contains(&PublicKey::from_spki(key.public_key())?) {
            continue;
        }
        let certificate =
            keys.certifier(centre).document_signer(&csca, csca_key.as_ref(), key.as_ref()).await?;
        report(&format!("document signer {number}"), &certificate);
        return write(out, certificate.der());
    }
    unreachable!("the numbers of document signers do not run out")
}

/// The CSCA certificates with their keys, oldest first.
async fn cscas(centre: &Centre, keys: &Keys) -> Result<Vec<(Certificate, Arc<dyn Signer>)>> {
    let mut conn = centre.db.begin().await?;
    let stored = store::cards::certificates::certificates(&mut conn, "csca").await?;
    drop(conn);
    let stored: Vec<Certificate> =
        stored.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for number in 1..=keys.settings.csca {
        let key = keys.csca(number).await?;
        let public = PublicKey::from_spki(key.public_key())?;
        for certificate in &stored {
            if certificate.key()? == public {
                found.push((certificate.clone(), Arc::clone(&key)));
            }
        }
    }
    Ok(found)
}

async fn crls(centre: &Centre, days: u8, out: Option<&Path>) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let cscas = cscas(centre, &keys).await?;
    ensure!(!cscas.is_empty(), "there is no CSCA yet; make one with `dancu pki init`");
    for (csca, key) in cscas {
        let der = keys.certifier(centre).crl(&csca, key.as_ref(), days).await?;
        let list = Crl::from_der(&der, &csca)?;
        let number = hex(&list.number().unwrap_or_default());
        let serial = hex(csca.serial());
        println!(
            "revocation list {number} of CSCA {serial}, the next due by {}",
            list.next_update().map_or("?".to_owned(), |due| due.date().to_string())
        );
        if let Some(folder) = out {
            fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
            write(Some(&folder.join(format!("{serial}.crl"))), &der)?;
        }
    }
    Ok(())
}

/// The list that covers now of the CSCA certificate with this serial number: the newest one, or another if that is
/// over. Without the CSCA's key only what was issued before; `None` when there is nothing.
pub async fn current_crl(centre: &Centre, csca_serial: &str) -> Result<Option<Vec<u8>>> {
    let mut conn = centre.db.begin().await?;
    let newest = certificates::newest_crl(&mut conn, csca_serial).await?;
    drop(conn);
    let keys = Keys::of(centre).await?;
    let cscas = cscas(centre, &keys).await?;
    let found = cscas.into_iter().find(|(csca, _)| hex(csca.serial()) == csca_serial);
    let Some((csca, key)) = found else { return Ok(newest) };
    if let Some(der) = newest
        && Crl::from_der(&der, &csca)?.covers(centre.clock.now())
    {
        return Ok(Some(der));
    }
    Ok(Some(keys.certifier(centre).crl(&csca, key.as_ref(), 90).await?))
}

async fn master_list(centre: &Centre, add: &[PathBuf], out: &Path) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let csca_key = keys.csca(keys.settings.csca).await?;
    let csca = keys.certifier(centre).csca(csca_key.as_ref()).await?;
    let mut certificates: Vec<Certificate> =
        cscas(centre, &keys).await?.into_iter().map(|(csca, _)| csca).collect();
    let mut conn = centre.db.begin().await?;
    for der in store::cards::certificates::certificates(&mut conn, "csca_link").await? {
        certificates.push(Certificate::from_der(&der)?);
    }
    drop(conn);
    for path in add {
        certificates.push(certificate(path)?);
    }
    let key = keys.key(format!("master-list-signer-{}", keys.settings.csca)).await?;
    let der =
        keys.certifier(centre).master_list(&certificates, &csca, csca_key.as_ref(), key.as_ref()).await?;
    println!("{} certificates on the list", certificates.len());
    write(Some(out), &der)
}

fn read_master_list(list: &Path, trust: &Path) -> Result<()> {
    let list = MasterList::from_der(&read(list)?, &[certificate(trust)?])?;
    for certificate in list.certificates() {
        report(if certificate.is_link() { "link" } else { "CSCA" }, certificate);
    }
    if list.left_out() > 0 {
        println!(
            "{} entries were left out: they cannot be read or are no CSCA certificates",
            list.left_out()
        );
    }
    Ok(())
}

async fn roll(centre: &Centre, out: Option<&Path>) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let old_key = keys.csca(keys.settings.csca).await?;
    let Some((old, _)) = cscas(centre, &keys).await?.pop() else {
        bail!("there is no CSCA yet; make one with `dancu pki init`");
    };
    let settings = Settings { csca: keys.settings.csca + 1, ..keys.settings.clone() };
    let new_key = keys.csca(settings.csca).await?;
    let new = keys.certifier(centre).csca(new_key.as_ref()).await?;
    let link = keys.certifier(centre).link(&old, old_key.as_ref(), &new).await?;
    // From here on the new key is the CSCA's. A crash before this line repeats the link, which harms nobody.
    settings.save(&settings_path(centre))?;
    report("CSCA", &new);
    report("link", &link);
    if let Some(folder) = out {
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        write(Some(&folder.join("csca.der")), new.der())?;
        write(Some(&folder.join("link.der")), link.der())?;
    }
    Ok(())
}

async fn list(centre: &Centre) -> Result<()> {
    let mut conn = centre.db.begin().await?;
    for row in certificates::all(&mut conn).await? {
        let certificate = Certificate::from_der(&row.der)?;
        let state = if row.revoked_at.is_some() { "revoked" } else { "valid" };
        println!("{} {:<18} {} {state}", row.serial, row.role, certificate.not_after().date());
    }
    inspection::list(centre)
}

fn report(what: &str, certificate: &Certificate) {
    let signs = certificate.key_usage_period().and_then(|period| period.not_after);
    println!(
        "{what} {} valid to {}, signs to {}, SHA-256 {}",
        hex(certificate.serial()),
        certificate.not_after().date(),
        signs.map_or("its end".to_owned(), |end| end.date().to_string()),
        hex(&certificate.fingerprint())
    );
}

fn write(path: Option<&Path>, bytes: &[u8]) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    fs::write(path, bytes).with_context(|| format!("{}", path.display()))?;
    println!("{} {}", bytes.len(), path.display());
    Ok(())
}

/// A file of at most 16 MiB.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path).with_context(|| format!("{}", path.display()))?.len();
    ensure!(length <= MOST_FILE_BYTES, "{} is longer than {MOST_FILE_BYTES} bytes", path.display());
    fs::read(path).with_context(|| format!("{}", path.display()))
}

/// A certificate from a file, DER or PEM.
pub fn certificate(path: &Path) -> Result<Certificate> {
    let bytes = read(path)?;
    if bytes.starts_with(b"-----BEGIN") {
        return Ok(Certificate::from_pem(std::str::from_utf8(&bytes).context("a PEM file is text")?)?);
    }
    Certificate::from_der(&bytes).with_context(|| format!("{}", path.display()))
}

/// What `dancu pki init` chose, in `keys/pki.json`. Without the file: P-256, key files, the first CSCA key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Settings {
    suite: String,
    /// Which of the CSCA's keys signs now, from 1.
    csca: u32,
    token: Option<TokenSettings>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TokenSettings {
    module: PathBuf,
    label: String,
    pin_file: Option<PathBuf>,
    pin_env: Option<String>,
}

impl Settings {
    fn load(path: &Path) -> Result<Settings> {
        if !path.exists() {
            return Ok(Settings { suite: Suite::ALL[0].name.to_owned(), csca: 1, token: None });
        }
        serde_json::from_slice(&read(path)?).with_context(|| format!("{}", path.display()))
    }

    /// Whole or not at all: half a file would hide which key signs.
    fn save(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("draft");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&draft, path).with_context(|| format!("{}", path.display()))
    }
}

fn settings_path(centre: &Centre) -> PathBuf {
    centre.place.data.join("keys").join("pki.json")
}

/// The keys that sign certificates and cards, wherever they are.
#[derive(Clone)]
pub struct Keys {
    pub suite: Suite,
    settings: Settings,
    folder: PathBuf,
    store: Arc<KeyStore>,
}

enum KeyStore {
    Files(Passphrase),
    Token(Token),
}

impl Keys {
    /// The keys of this installation.
    pub async fn of(centre: &Centre) -> Result<Keys> {
        Self::with(centre, Settings::load(&settings_path(centre))?).await
    }

    async fn with(centre: &Centre, settings: Settings) -> Result<Keys> {
        let folder = centre.place.data.join("keys");
        tokio::task::spawn_blocking(move || {
            let suite = suite(&settings.suite)?;
            let store = match &settings.token {
                None => KeyStore::Files(passphrase(&folder)?),
                Some(token) => {
                    let pin = match (&token.pin_file, &token.pin_env) {
                        (Some(file), _) => Pin::from_file(file)?,
                        (None, Some(variable)) => Pin::from_environment(variable)?,
                        (None, None) => Pin::from_environment("DANCU_TOKEN_PIN")?,
                    };
                    KeyStore::Token(Token::open(TokenConfig::new(token.module.clone(), &token.label, pin))?)
                }
            };
            Ok(Keys { suite, settings, folder, store: Arc::new(store) })
        })
        .await?
    }

    /// The key of the CSCA that signs now.
    pub async fn current_csca(&self) -> Result<Arc<dyn Signer>> {
        self.csca(self.settings.csca).await
    }

    async fn csca(&self, number: u32) -> Result<Arc<dyn Signer>> {
        let name = if number == 1 { "csca".to_owned() } else { format!("csca-{number}") };
        self.key(name).await
    }

    pub async fn document_signer(&self, number: u32) -> Result<Arc<dyn Signer>> {
        self.key(format!("document-signer-{number}")).await
    }

    /// The key of this name, made when there is none.
    pub async fn key(&self, name: String) -> Result<Arc<dyn Signer>> {
        let keys = self.clone();
        tokio::task::spawn_blocking(move || -> Result<Arc<dyn Signer>> {
            let algorithm = keys.suite.algorithm;
            match keys.store.as_ref() {
                KeyStore::Files(passphrase) => {
                    let path = keys.folder.join(format!("{name}.key"));
                    let signer = signing_key(&path, algorithm, passphrase)?;
                    ensure!(signer.algorithm() == algorithm, "{} is a key of another kind", path.display());
                    Ok(Arc::new(signer))
                }
                KeyStore::Token(token) => Ok(match token.find(&name)? {
                    Some(signer) => Arc::new(signer),
                    None => Arc::new(token.generate(&name, algorithm)?),
                }),
            }
        })
        .await?
    }

    fn certifier<'a>(&self, centre: &'a Centre) -> Certifier<'a, impl FnMut() -> [u8; 16] + use<>> {
        Certifier { db: &centre.db, suite: self.suite, draw_serial: serials(), now: centre.clock.now() }
    }
}

/// Serial numbers from the system's generator.
pub fn serials() -> impl FnMut() -> [u8; 16] {
    let mut rng: StdRng = rand::make_rng();
    move || {
        let mut serial = [0; 16];
        rng.fill_bytes(&mut serial);
        serial
    }
}
