//! `dancu pki`: the country's keys, certificates and lists; and where the keys of an installation are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::inspection;
use crate::output::{Form, Table};
use centre::{Installation, Keys, Place, Settings, TokenSettings};
use issue::certificates::hex;
use pki::{Certificate, Crl, MasterList, PublicKey, Suite};
use store::cards::certificates as lists;
use ui::say;

/// Longest file that a certificate or list is read from.
const MOST_FILE_BYTES: u64 = 16 << 20;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Choose algorithm and key store, and make the CSCA. Without it the first card makes one: P-256, key
    /// files.
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
        /// CRLReason (RFC 5280 §5.3.1): 1 key compromised, 3 affiliation changed, 4 superseded, 5 no longer
        /// used.
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
    List {
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// p256, brainpool-p256r1 or p384, with `-explicit` for curves by their parameters.
    #[arg(long, default_value = "p256", value_parser = centre::suite)]
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

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    if let Command::MasterList { read: Some(list), trust: Some(trust), .. } = command {
        return read_master_list(list, trust);
    }
    let centre = Installation::open(place).await?;
    match command {
        Command::Init(options) => init(&centre, options).await,
        Command::IssueDs { out } => issue_ds(&centre, out.as_deref()).await,
        Command::Crl { revoke, reason, days, out } => {
            if let Some(serial) = revoke {
                let keys = Keys::of(&centre).await?;
                keys.certifier(&centre).revoke(&serial.to_lowercase(), *reason).await?;
                say!("revoked {}", serial.to_lowercase());
            }
            crls(&centre, *days, out.as_deref()).await
        }
        Command::MasterList { add, out, .. } => {
            let out = out.as_deref().context("--out names the file of the list")?;
            master_list(&centre, add, out).await
        }
        Command::Roll { out } => roll(&centre, out.as_deref()).await,
        Command::Inspection(command) => inspection::run(&centre, command).await,
        Command::List { form } => list(&centre, *form).await,
    }
}

async fn init(centre: &Installation, options: &Init) -> Result<()> {
    let path = centre::settings_path(centre);
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
    let key = keys.make(Keys::csca_name(settings.csca)).await?;
    settings.save(&path)?;
    let certificate = keys.certifier(centre).csca(key.as_ref()).await?;
    report("CSCA", &certificate);
    write(options.out.as_deref(), certificate.der())
}

async fn issue_ds(centre: &Installation, out: Option<&Path>) -> Result<()> {
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
        let key = keys.make(Keys::document_signer_name(number)).await?;
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

async fn crls(centre: &Installation, days: u8, out: Option<&Path>) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let cscas = centre::cscas(centre, &keys).await?;
    ensure!(!cscas.is_empty(), "there is no CSCA yet; make one with `dancu pki init`");
    for (csca, key) in cscas {
        let der = keys.certifier(centre).crl(&csca, key.as_ref(), days).await?;
        let list = Crl::from_der(&der, &csca)?;
        let number = hex(&list.number().unwrap_or_default());
        let serial = hex(csca.serial());
        say!(
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

async fn master_list(centre: &Installation, add: &[PathBuf], out: &Path) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let csca_key = keys.csca(keys.settings.csca).await?;
    let csca = keys.certifier(centre).csca(csca_key.as_ref()).await?;
    let mut certificates: Vec<Certificate> =
        centre::cscas(centre, &keys).await?.into_iter().map(|(csca, _)| csca).collect();
    let mut conn = centre.db.begin().await?;
    for der in store::cards::certificates::certificates(&mut conn, "csca_link").await? {
        certificates.push(Certificate::from_der(&der)?);
    }
    drop(conn);
    for path in add {
        certificates.push(certificate(path)?);
    }
    let key = keys.make(format!("master-list-signer-{}", keys.settings.csca)).await?;
    let der =
        keys.certifier(centre).master_list(&certificates, &csca, csca_key.as_ref(), key.as_ref()).await?;
    say!("{} certificates on the list", certificates.len());
    write(Some(out), &der)
}

fn read_master_list(list: &Path, trust: &Path) -> Result<()> {
    let list = MasterList::from_der(&read(list)?, &[certificate(trust)?])?;
    for certificate in list.certificates() {
        report(if certificate.is_link() { "link" } else { "CSCA" }, certificate);
    }
    if list.left_out() > 0 {
        say!("{} entries were left out: they cannot be read or are no CSCA certificates", list.left_out());
    }
    Ok(())
}

async fn roll(centre: &Installation, out: Option<&Path>) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let old_key = keys.csca(keys.settings.csca).await?;
    let Some((old, _)) = centre::cscas(centre, &keys).await?.pop() else {
        bail!("there is no CSCA yet; make one with `dancu pki init`");
    };
    let settings = Settings { csca: keys.settings.csca + 1, ..keys.settings.clone() };
    let new_key = keys.make(Keys::csca_name(settings.csca)).await?;
    let new = keys.certifier(centre).csca(new_key.as_ref()).await?;
    let link = keys.certifier(centre).link(&old, old_key.as_ref(), &new).await?;
    // From here on the new key is the CSCA's. A crash before this line repeats the link, which harms nobody.
    settings.save(&centre::settings_path(centre))?;
    report("CSCA", &new);
    report("link", &link);
    if let Some(folder) = out {
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        write(Some(&folder.join("csca.der")), new.der())?;
        write(Some(&folder.join("link.der")), link.der())?;
    }
    Ok(())
}

async fn list(centre: &Installation, form: Form) -> Result<()> {
    let mut conn = centre.db.begin().await?;
    let mut table = Table::new("certificates", &["serial", "role", "last_day", "state"]);
    for row in lists::all(&mut conn).await? {
        let certificate = Certificate::from_der(&row.der)?;
        let state = if row.revoked_at.is_some() { "revoked" } else { "valid" };
        let last_day = certificate.not_after().date().to_string();
        table.push([row.serial.into(), row.role.into(), last_day.into(), state.into()]);
    }
    inspection::list(centre, &mut table)?;
    table.print(form)
}

fn report(what: &str, certificate: &Certificate) {
    let signs = certificate.key_usage_period().and_then(|period| period.not_after);
    say!(
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
    say!("{} {}", bytes.len(), path.display());
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
