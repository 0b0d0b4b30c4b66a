/// What was wrong with a template, and where in the record it was.
///
/// Offsets count bytes from the start of the record; no message carries a coordinate of a minutia.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "the record has {actual} bytes, more than the limit of {limit}; send one person's fingers per record"
    )]
    TooLong { actual: usize, limit: usize },
    #[error(
        "the record ends at byte {length} inside {what}, which starts at byte {offset}; fetch the whole \
         record again"
    )]
    Truncated { what: &'static str, offset: usize, length: usize },
    #[error("byte {offset}: {what}; send an ISO/IEC 19794-2 or ANSI INCITS 378-2004 finger minutiae record")]
    NotAMinutiaeRecord { what: &'static str, offset: usize },
    #[error(
        "byte {offset}: the header says {declared} bytes but the record has {actual}; fetch the whole record \
         again"
    )]
    LengthMismatch { offset: usize, declared: usize, actual: usize },
    #[error("byte {offset}: {what} is {value}, outside {low} to {high}; check the capture software")]
    OutOfRange { what: &'static str, offset: usize, value: u32, low: u32, high: u32 },
    #[error("byte {offset}: a minutia lies outside the image; check the image size in the header")]
    OutsideImage { offset: usize },
    #[error("byte {offset}: {extra} bytes follow the last view; remove them or correct the view count")]
    TrailingBytes { offset: usize, extra: usize },
    #[error("the views come from captures of different image sizes; encode them as separate records")]
    MixedImages,
    #[error(
        "the template's {what} is {value}, outside {low} to {high}; correct it before building the template"
    )]
    InvalidTemplate { what: &'static str, value: u32, low: u32, high: u32 },
    #[error(
        "this identifier is already in the gallery; search it with `exclude` instead of inserting it again"
    )]
    AlreadyEnrolled,
    #[error("the gallery is full at {limit} people; start another gallery and search both")]
    GalleryFull { limit: usize },
}

/// Why a snapshot of a gallery could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the file is no snapshot of a gallery of this version; load the gallery from the store")]
    NotASnapshot,
    #[error("the snapshot is damaged; load the gallery from the store")]
    Damaged,
    #[error("the snapshot cannot be read to its end; load the gallery from the store")]
    Read(#[from] std::io::Error),
    #[error("the snapshot holds people who cannot be enrolled; load the gallery from the store")]
    Gallery(#[from] Error),
}
