//! `dancu pki cvca`, `dv` and `inspection-system`: who may read fingers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::output::Table;
use centre::Installation;
use centre::inspection::{self, CvcaKey, Office};
use pki::{CvCertificate, CvRole, Rights};
use ui::say;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
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

pub(crate) async fn run(centre: &Installation, command: &Command) -> Result<()> {
    let office = Office::of(centre).await?;
    match command {
        Command::Cvca { roll, out } => {
            let key = if *roll { CvcaKey::Next } else { CvcaKey::First };
            for certificate in office.cvca(key).await? {
                show(&certificate, out.as_deref())?;
            }
            Ok(())
        }
        Command::Dv { name, grant, out } => {
            show(&office.verifier(name, grant.rights()).await?, out.as_deref())
        }
        Command::InspectionSystem { name, dv, grant, out, passphrase } => {
            show(&office.system(name, dv, grant.rights(), out, passphrase.as_deref()).await?, None)
        }
    }
}

/// Says what was issued, and writes it where it is wanted as well.
fn show(certificate: &CvCertificate, out: Option<&Path>) -> Result<()> {
    if let Some(folder) = out {
        inspection::write(folder, certificate)?;
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
    say!(
        "{} {what}, by {}, {} to {}, reads {rights}",
        certificate.holder(),
        certificate.issuer(),
        certificate.effective(),
        certificate.expires()
    );
    Ok(())
}

/// Adds a line for each certificate, like those of the country's signers: reference, role, last day, whether
/// it is over.
pub fn list(centre: &Installation, table: &mut Table) -> Result<()> {
    let today = centre.clock.now().date();
    for certificate in inspection::all(centre)? {
        let state = if certificate.expires() < today { "over" } else { "valid" };
        let (holder, from) = (certificate.holder().to_string(), certificate.effective().to_string());
        let last_day = certificate.expires().to_string();
        table.push([
            holder.into(),
            role(&certificate).into(),
            from.into(),
            last_day.clone().into(),
            last_day.into(),
            state.into(),
        ]);
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
