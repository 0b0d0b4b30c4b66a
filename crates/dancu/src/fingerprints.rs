//! `dancu fingerprint`: templates in files, compared and searched; nothing is stored and no database is
//! needed.

mod compare;
pub mod files;
mod identify;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use ui::terminal::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare every ordered pair of the templates below a folder.
    ///
    /// Writes `a,b,score` with paths relative to the folder, ordered by `a` and then by `b`; a template is
    /// not compared with itself. A score is 0 for nothing in common; 10.3 is one finger at a false match rate
    /// of about 1 in 10,000. Of files with several finger views the best pair of views counts.
    Compare {
        /// Templates are its `*.iso` files, in subfolders too (ISO/IEC 19794-2:2005 and 2011, ANSI INCITS
        /// 378-2004).
        dir: PathBuf,
        /// The scores go to this file.
        #[arg(long)]
        out: PathBuf,
        /// Files that are no valid template are named and left out in any case; with this the command does
        /// not fail for it at its end.
        #[arg(long)]
        skip_bad: bool,
    },
    /// Search a folder of people for the fingers in some files.
    ///
    /// Who a gallery's file belongs to is the beginning of its path up to the first underscore in its name
    /// (`101_3.iso` is a finger of `101`, `DB1/101_3.iso` of `DB1/101`), without an underscore its folder
    /// (`minh/thumb.iso` is of `minh`), and without either the name itself. Prints
    /// `person,score,false_match_rate,match`, best first.
    Identify {
        /// Folder of templates (`*.iso`, in subfolders too).
        #[arg(long)]
        gallery: PathBuf,
        /// Files with fingers of one person.
        #[arg(long, required = true, num_args = 1..)]
        probe: Vec<PathBuf>,
        /// Fingers may be filed under any position, for instance hands swapped. Those of unknown position may
        /// be any in any case.
        #[arg(long)]
        any_position: bool,
        /// A person is a match from the score at which so many strangers match per search of this gallery.
        #[arg(long, default_value_t = 1e-4)]
        false_matches: f64,
        /// Print at most so many people.
        #[arg(long, default_value_t = 5)]
        most: usize,
        /// Leave out files of the gallery that are no valid template, with a message for each, instead of
        /// stopping.
        #[arg(long)]
        skip_bad: bool,
    },
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Compare { dir, out, skip_bad } => compare::run(dir, out, *skip_bad),
        Command::Identify { gallery, probe, any_position, false_matches, most, skip_bad } => {
            let people = files::load(gallery)?.all(*skip_bad)?;
            let options =
                identify::Options { any_position: *any_position, false_matches: *false_matches, most: *most };
            identify::run(people, probe, &options, &mut Output)
        }
    }
}
