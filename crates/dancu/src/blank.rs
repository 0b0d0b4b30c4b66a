//! A blank for `dancu card emulate --blank DIR`: a virtual chip whose memory lies in a file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rand::rngs::StdRng;

use crate::stock;
use chip::{ChipSerial, Memory, VirtualChip};

/// The memory of the chip, private keys in the clear.
const MEMORY_FILE: &str = "chip.memory";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BlankOptions {
    /// Instead of a card: a blank whose memory lies in this directory. It becomes a card when it is
    /// personalised, and stays one.
    #[arg(long = "blank", value_name = "DIR", conflicts_with = "card")]
    dir: Option<PathBuf>,
    /// The serial number of a new blank: twenty hexadecimal digits.
    #[arg(long, requires = "dir", requires = "transport_key")]
    serial: Option<ChipSerial>,
    /// The key letter of a new blank's box: a file with 64 hexadecimal digits.
    #[arg(long, requires = "dir", requires = "serial")]
    transport_key: Option<PathBuf>,
}

impl BlankOptions {
    /// The chip in the directory that was named, if one was.
    pub fn open(&self) -> Result<Option<VirtualChip<StdRng>>> {
        let Some(dir) = &self.dir else { return Ok(None) };
        let path = dir.join(MEMORY_FILE);
        let memory = if path.exists() {
            let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
            Memory::from_bytes(&bytes).with_context(|| format!("{}", path.display()))?
        } else {
            let (Some(serial), Some(key)) = (self.serial, &self.transport_key) else {
                anyhow::bail!(
                    "{} holds no chip; give --serial and --transport-key to make a blank",
                    dir.display()
                );
            };
            let memory = Memory::blank(serial, stock::master_key(key)?.transport_key(serial));
            fs::create_dir_all(dir).with_context(|| format!("{}", dir.display()))?;
            keep(&path, &memory).with_context(|| format!("{}", path.display()))?;
            memory
        };
        let chip = VirtualChip::of(memory, rand::make_rng());
        Ok(Some(chip.kept_by(move |memory| match keep(&path, memory) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the memory of the chip cannot be written");
                false
            }
        })))
    }
}

/// Whole under another name first, so that whoever pulls the plug leaves the memory before or after, and
/// never half of it.
fn keep(path: &Path, memory: &Memory) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&memory.to_bytes())?;
    file.sync_data()?;
    fs::rename(&draft, path)
}
