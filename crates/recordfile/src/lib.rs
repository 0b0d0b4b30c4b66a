#![doc = include_str!("../README.md")]

mod columns;
mod csv_reader;
mod error;
mod parquet_reader;
mod runs;
mod text_column;
mod writer;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use linkage::batch::Block;

pub use columns::{COLUMNS, Faults, ROWS};
pub use csv_reader::read_csv;
pub use error::Error;
pub use writer::Writer;

/// Blocks that may wait to be taken in: enough that neither side waits for the other, few enough to cost no
/// memory.
const WAITING: usize = 4;

/// Reads a register block by block; the first bytes tell Parquet from CSV, whatever the file is called.
pub fn read(path: &Path, mut take: impl FnMut(&Block)) -> Result<Faults, Error> {
    let open = || File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source });
    let mut start = [0; 4];
    let is_parquet = open()?.read_exact(&mut start).is_ok() && &start == b"PAR1";
    let file = open()?;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let reader = scope.spawn(move || {
            let mut send = |block| send(&sender, block);
            if is_parquet { parquet_reader::read_parquet(file, &mut send) } else { read_csv(file, &mut send) }
        });
        for block in receiver {
            take(&block);
        }
        match reader.join() {
            Ok(read) => read,
            // The library asserts what a damaged file does not keep.
            Err(_) if is_parquet => Err(Error::Damaged),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Says whether anybody still wants blocks.
fn send(sender: &SyncSender<Block>, block: Block) -> bool {
    sender.send(block).is_ok()
}
