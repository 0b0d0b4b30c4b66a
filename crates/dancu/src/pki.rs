//! `dancu pki`: the country's keys, certificates and lists; and where the keys of an installation are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use time::Date;
use time::macros::time;

use crate::inspection;
use crate::output::{Form, Table};
use centre::signers::{self, Ahead, IssuedList, LIST_DAYS};
use centre::{Installation, Keys, Place, Settings, TokenSettings};
use domain::clock::VIETNAM;
use issue::certificates::{hex, signs_until};
use pki::{Certificate, Crl, MasterList, Suite};
use store::cards::certificates as lists;
use ui::{say, tell};

/// Longest file that a certificate or list is read from.
const MOST_FILE_BYTES: u64 = 16 << 20;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Choose algorithm and key store, and make the CSCA, its first document signers and its first revocation
    /// list.
    Init(Init),
    /// Make document signers, each a new key and its certificate: one from now on, or several ahead. `dancu
    /// work` finds that of the day and needs no other key.
    IssueDs(IssueDs),
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
        #[command(flatten)]
        form: Form,
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
    /// Make so many document signers ahead, each for three months.
    #[arg(long, default_value_t = 1)]
    ahead: u32,
    /// Also write the CSCA's certificate here, in DER.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IssueDs {
    /// So many more, each for three months, the first from the end of those that there are. Without this or
    /// --until one is made that signs from now on: after a suspected leak, for example.
    #[arg(long, conflicts_with = "until")]
    ahead: Option<u32>,
    /// As many as it takes for one to sign on every day up to this one (yyyy-mm-dd).
    #[arg(long, value_parser = crate::cli::date)]
    until: Option<Date>,
    /// Also write the certificate here, in DER; of several, each with its number before the ending.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl IssueDs {
    fn how_many(&self) -> Ahead {
        match (self.ahead, self.until) {
            (Some(periods), _) => Ahead::Periods(periods),
            (None, Some(day)) => Ahead::Until(day.with_time(time!(23:59:59)).assume_offset(VIETNAM)),
            (None, None) => Ahead::Now,
        }
    }
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    if let Command::MasterList { read: Some(list), trust: Some(trust), form, .. } = command {
        return read_master_list(list, trust, *form);
    }
    let centre = Installation::open(place).await?;
    match command {
        Command::Init(options) => init(&centre, options).await,
        Command::IssueDs(options) => issue_ds(&centre, options).await,
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
    let mut conn = centre.db.read().await?;
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
    // Somebody stopped this command before the certificate: what was chosen then must be chosen again.
    ensure!(
        !path.exists() || Settings::load(&path)? == settings,
        "{} says that other keys were chosen; give the same options, or remove the file: nothing was \
         certified",
        path.display()
    );
    // The keys are opened first: settings that lead nowhere must not be left behind.
    let keys = Keys::with(centre, settings.clone()).await?;
    settings.save(&path)?;
    let certificate = signers::make_csca(centre, &keys).await?;
    report("CSCA", &certificate);
    write(options.out.as_deref(), certificate.der())?;
    for (number, signer) in signers::issue(centre, &keys, Ahead::Periods(options.ahead)).await? {
        report(&format!("document signer {number}"), &signer);
    }
    crls(centre, LIST_DAYS, None).await
}

async fn issue_ds(centre: &Installation, options: &IssueDs) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let issued = signers::issue(centre, &keys, options.how_many()).await?;
    for (number, certificate) in &issued {
        report(&format!("document signer {number}"), certificate);
        let out = options.out.as_deref().map(|out| match issued.len() {
            1 => out.to_owned(),
            _ => numbered(out, *number),
        });
        write(out.as_deref(), certificate.der())?;
    }
    let until = signers::covered_until(&signers::periods(centre).await?, centre.clock.now());
    let until = until.map_or("nobody signs now".to_owned(), |until| format!("signed for until {until}"));
    say!("{} made; {until}", issued.len());
    Ok(())
}

/// `ds.der` becomes `ds-3.der`.
fn numbered(out: &Path, number: u32) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let ending = out.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    out.with_file_name(format!("{stem}-{number}{ending}"))
}

async fn crls(centre: &Installation, days: u8, out: Option<&Path>) -> Result<()> {
    let keys = Keys::of(centre).await?;
    for IssuedList { csca, der } in signers::issue_lists(centre, &keys, days).await? {
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
    let mut conn = centre.db.read().await?;
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

fn read_master_list(list: &Path, trust: &Path, form: Form) -> Result<()> {
    let list = MasterList::from_der(&read(list)?, &[certificate(trust)?])?;
    let columns = &["serial", "role", "signs_from", "signs_to", "last_day", "sha256"];
    let mut table = Table::new("certificates", columns);
    for certificate in list.certificates() {
        let role = if certificate.is_link() { "csca_link" } else { "csca" };
        let (serial, sha256) = (hex(certificate.serial()), hex(&certificate.fingerprint()));
        let [from, to, last] = days(certificate);
        table.push([serial.into(), role.into(), from.into(), to.into(), last.into(), sha256.into()]);
    }
    // Told apart from the list, so that what reads the list reads nothing else.
    if list.left_out() > 0 {
        tell!("{} entries were left out: they cannot be read or are no CSCA certificates", list.left_out());
    }
    table.print(form)
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
    let mut conn = centre.db.read().await?;
    let columns = &["serial", "role", "signs_from", "signs_to", "last_day", "state"];
    let mut table = Table::new("certificates", columns);
    for row in lists::all(&mut conn).await? {
        let certificate = Certificate::from_der(&row.der)?;
        let state = if row.revoked_at.is_some() { "revoked" } else { "valid" };
        let [from, to, last] = days(&certificate);
        table.push([row.serial.into(), row.role.into(), from.into(), to.into(), last.into(), state.into()]);
    }
    inspection::list(centre, &mut table)?;
    table.print(form)
}

/// The days from which and to which it signs, and its last.
fn days(certificate: &Certificate) -> [String; 3] {
    let to = signs_until(certificate).unwrap_or(certificate.not_after());
    [certificate.not_before(), to, certificate.not_after()].map(|at| at.date().to_string())
}

fn report(what: &str, certificate: &Certificate) {
    let signs = signs_until(certificate);
    say!(
        "{what} {} valid to {}, signs from {} to {}, SHA-256 {}",
        hex(certificate.serial()),
        certificate.not_after().date(),
        certificate.not_before().date(),
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
