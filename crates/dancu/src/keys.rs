//! `dancu keys`: the keys that an installation has one of, for good, and the passphrase over them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::output::{Ending, Form, Table};
use centre::{CentreKey, KeySet, Place, key_set};
use issue::certificates::hex;
use ui::say;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the keys of a new installation, once: those that open packets, sign answers to kits, wrap what is
    /// stored sealed and sign the heads of the audit trail, and the passphrase that encrypts them unless
    /// DANCU_PASSPHRASE_FILE names one. Where the audit key alone is lost it makes another.
    Init,
    /// The keys and whether their files are there. Opens none.
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Open every key, and say which does not open.
    Check {
        #[command(flatten)]
        form: Form,
    },
}

/// A check ends with [`Ending::Good`] when every key opens, with [`Ending::Bad`] when one does not.
pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let folder = centre::key_folder(place);
    match command {
        Command::Init => init(place, folder).await?,
        Command::List { form } => list(&folder, *form)?,
        Command::Check { form } => {
            let form = *form;
            return tokio::task::spawn_blocking(move || check(&folder, form)).await?;
        }
    }
    Ok(Ending::Good.into())
}

async fn init(place: &Place, folder: PathBuf) -> Result<()> {
    let data = place.data.clone();
    let made = tokio::task::spawn_blocking(move || -> Result<Vec<PathBuf>> {
        // With the rights that a cluster in it will need, whichever of the two is made first.
        store::make_data_dir(&data)?;
        Ok(centre::make_keys(&folder)?)
    })
    .await??;
    for path in &made {
        say!("made       {}", path.display());
    }
    if made.is_empty() {
        say!("complete   every key was there already");
    }
    say!(
        "keep       a copy of these files and of the passphrase, apart from each other and from this machine"
    );
    say!("next       dancu pki init");
    Ok(())
}

fn list(folder: &Path, form: Form) -> Result<()> {
    let set = key_set(folder)?;
    let missing = match &set {
        KeySet::Missing(paths) => paths.as_slice(),
        KeySet::None | KeySet::Unfinished | KeySet::Made | KeySet::WithoutAudit => &[],
    };
    let mut table = Table::new("keys", &["key", "does", "state", "file"]);
    let passphrase = centre::passphrase_path(folder);
    let row = |name: &str, does: &str, path: &Path| -> Result<[serde_json::Value; 4]> {
        let there = path.try_exists().with_context(|| format!("{}", path.display()))?;
        let state = match (there, &set) {
            (true, _) => "there",
            (false, _) if missing.iter().any(|lost| lost == path) => "missing",
            (false, _) => "not made",
        };
        Ok([name.into(), does.into(), state.into(), path.display().to_string().into()])
    };
    table.push(row("passphrase", "encrypts the other files", &passphrase)?);
    for key in CentreKey::ALL {
        table.push(row(key.file().trim_end_matches(".key"), key.purpose(), &folder.join(key.file()))?);
    }
    table.print(form)
}

fn check(folder: &Path, form: Form) -> Result<ExitCode> {
    let mut table = Table::new("keys", &["key", "outcome", "id"]);
    let mut ending = Ending::Good;
    if key_set(folder)? == KeySet::Unfinished {
        return Err(centre::Error::KeysUnfinished { folder: folder.to_owned() }.into());
    }
    for key in CentreKey::ALL {
        let name = key.file().trim_end_matches(".key");
        match centre::check_key(folder, key) {
            Ok(id) => table.push([name.into(), "opens".into(), id.map(|id| hex(&id)).into()]),
            Err(error) => {
                ending = Ending::Bad;
                table.push([name.into(), error.to_string().into(), serde_json::Value::Null]);
            }
        }
    }
    table.print(form)?;
    Ok(ending.into())
}
