//! The fingers of officers, as a scanner wrote them into files.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use serde_json::json;

use crate::cli::Operator;
use crate::output;
use centre::{Centre, Installation};
use domain::id::AccountId;
use enrol::officers::fingers::{self, SealedFingers};
use fingerprint::FingerPosition;
use packet::{Biometric, Finger, FingerCapture, MAX_TEMPLATE_BYTES};
use ui::say;

/// Files of fingers at most: a folder with more is another one.
const MOST_FILES: usize = 10;

/// Which fingers were taken.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Given {
    /// The officer's ten fingers: a folder, or files, 1.iso (right thumb) to 5.iso (right little finger) and
    /// 6.iso (left thumb) to 10.iso (left little finger), one view of ISO/IEC 19794-2:2005 each.
    #[arg(long, num_args = 1.., value_name = "DIR|FILE")]
    fingers: Vec<PathBuf>,
    /// Why some of the ten are lacking or unfit, or all: for the audit trail.
    #[arg(long, value_name = "REASON")]
    lacking: Option<String>,
}

impl Given {
    /// The fingers, judged and sealed for this account; `None` when neither fingers nor a reason were given.
    pub(crate) async fn sealed(
        &self,
        installation: &Installation,
        account: AccountId,
    ) -> Result<Option<SealedFingers>> {
        if self.fingers.is_empty() && self.lacking.is_none() {
            return Ok(None);
        }
        let taken = read_all(&self.fingers)?;
        let centre = Centre::of(installation.clone()).await?;
        let mut rng: StdRng = rand::make_rng();
        let lacking = self.lacking.as_deref();
        Ok(Some(fingers::seal(&*centre.keys.wrapping, account, &taken, lacking, &mut rng)?))
    }
}

/// Takes the fingers of an officer anew, or for the first time.
pub(crate) async fn take(
    installation: &Installation,
    login: &str,
    given: &Given,
    json: bool,
    operator: &Operator,
) -> Result<()> {
    let by = operator.actor(installation).await?;
    let account = super::account(installation, login).await?;
    let sealed = given.sealed(installation, AccountId::from_uuid(account.id)).await?;
    let sealed =
        sealed.context("give the fingers with --fingers, or say with --lacking why there are none")?;
    let now = installation.clock.now();
    fingers::take(&installation.db, &sealed, account.scope.as_str(), &by, now).await?;
    if json {
        return output::print_json(&json!({ "account": account.id, "fingers": sealed.count() }));
    }
    say!("taken      {} fingers of {}", sealed.count(), account.login);
    Ok(())
}

fn read_all(given: &[PathBuf]) -> Result<Vec<Finger>> {
    let mut files = Vec::new();
    for path in given {
        if path.is_dir() {
            files.extend(templates_in(path)?);
        } else {
            files.push(path.clone());
        }
    }
    ensure!(files.len() <= MOST_FILES, "{} files of fingers are given; a person has ten", files.len());
    files.iter().map(|path| read(path)).collect()
}

/// The files of a folder that end in `.iso`, by name.
fn templates_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("{}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("iso")) {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{} holds no template (1.iso to 10.iso)", folder.display());
    files.sort_unstable();
    Ok(files)
}

fn read(path: &Path) -> Result<Finger> {
    let name = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    let position = name.and_then(FingerPosition::from_code).filter(|it| *it != FingerPosition::Unknown);
    let position = position.with_context(|| {
        format!(
            "{}: name the file by the finger: 1.iso (right thumb) to 10.iso (left little finger)",
            path.display()
        )
    })?;
    let reading = || format!("{}", path.display());
    let mut bytes = Vec::new();
    let most = MAX_TEMPLATE_BYTES as u64;
    fs::File::open(path)
        .with_context(reading)?
        .take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(reading)?;
    Ok(Finger { position, capture: FingerCapture::Template(Biometric::new(bytes)) })
}
