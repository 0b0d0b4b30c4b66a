/// Why there is no PDF. No variant carries a personal value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrintError {
    #[error(transparent)]
    Card(#[from] card::CardError),
    #[error(
        "a text on the {side} has U+{:04X}, for which the card's fonts have no letter; correct the register \
         record",
        u32::from(*.c)
    )]
    NoGlyph { side: &'static str, c: char },
    #[error("the photo has {components} colour components; a grey or an RGB JPEG is needed")]
    Colours { components: u8 },
    #[error("a font of this program could not be cut down to the letters used: {0}")]
    Font(subsetter::Error),
}
