/// Why files are not taken for those of one card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{name} has {length} bytes; no file of a card is longer than \
             {limit}", limit = crate::CardFiles::LONGEST_FILE)]
    TooLarge { name: String, length: u64 },
    #[error("{name} is there twice, under different names; leave the files of one card only")]
    Twice { name: String },
    #[error("none of a card's files is there (EF.COM, DG1, DG2, …, EF.SOD)")]
    NoFiles,
}
