//! `dancu completions` and `dancu man`: what a shell and a reader of manuals know of the command line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use ui::say;
use ui::terminal::Output;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Manual {
    /// The directory for a page of each command, such as ~/.local/share/man/man1.
    #[arg(long)]
    out: PathBuf,
}

/// Prints the script that a shell reads to complete commands and options.
pub fn completions(options: &Completions) {
    clap_complete::generate(options.shell, &mut Cli::command(), "dancu", &mut Output);
}

/// Writes the pages.
pub fn pages(options: &Manual) -> Result<()> {
    let out: &Path = &options.out;
    let doing = || format!("the manual pages in {}", out.display());
    fs::create_dir_all(out).with_context(doing)?;
    clap_mangen::generate_to(Cli::command(), out).with_context(doing)?;
    say!("written to {}; read one with: man {}/dancu.1", out.display(), out.display());
    Ok(())
}
