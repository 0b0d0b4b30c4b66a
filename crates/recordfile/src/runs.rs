//! Runs of small numbers as Parquet writes definition levels and places in a dictionary (Apache Parquet,
//! *Encodings*, "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)").

use parquet::errors::ParquetError;

/// Bytes behind the last one, so that eight can always be read at once.
const PADDING: usize = 8;

/// Numbers of `width` bits, read run by run: what a page says of their count is never allocated at once.
#[derive(Debug)]
pub(crate) struct Runs {
    bytes: Vec<u8>,
    at: usize,
    width: usize,
    left: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Repeated(u32),
    /// The bit where the next number begins.
    Packed(usize),
}

impl Runs {
    pub(crate) fn new(bytes: &[u8], width: u8) -> Result<Runs, ParquetError> {
        if width > 32 {
            return Err(ParquetError::General(format!("numbers of {width} bits where 32 are the most")));
        }
        let mut padded = Vec::with_capacity(bytes.len() + PADDING);
        padded.extend_from_slice(bytes);
        padded.resize(bytes.len() + PADDING, 0);
        Ok(Runs { bytes: padded, at: 0, width: width.into(), left: 0, run: Run::Repeated(0) })
    }

    /// Appends the next `count` numbers.
    pub(crate) fn read(&mut self, mut count: usize, numbers: &mut Vec<u32>) -> Result<(), ParquetError> {
        while count > 0 {
            if self.left == 0 {
                self.next_run()?;
            }
            let some = count.min(self.left);
            match &mut self.run {
                Run::Repeated(number) => numbers.resize(numbers.len() + some, *number),
                Run::Packed(bit) => {
                    let (width, mask) = (self.width, (1u64 << self.width) - 1);
                    numbers.extend((0..some).map(|index| {
                        let bit = *bit + index * width;
                        // `next_run` has seen to it that the bytes are there.
                        let mut word = [0; 8];
                        word.copy_from_slice(&self.bytes[bit / 8..bit / 8 + 8]);
                        (u64::from_le_bytes(word) >> (bit % 8) & mask) as u32
                    }));
                    *bit += some * width;
                }
            }
            self.left -= some;
            count -= some;
        }
        Ok(())
    }

    fn next_run(&mut self) -> Result<(), ParquetError> {
        let ends = || ParquetError::General("a page has fewer values than it says".into());
        let end = self.bytes.len() - PADDING;
        let (mut header, mut shift) = (0u64, 0);
        loop {
            let byte = *self.bytes[..end].get(self.at).ok_or_else(ends)?;
            self.at += 1;
            header |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            match byte & 0x80 {
                0 => break,
                _ if shift > 28 => {
                    return Err(ParquetError::General("a run longer than a page can be".into()));
                }
                _ => {}
            }
        }
        let length = (header >> 1) as usize;
        if header & 1 == 1 {
            // Groups of eight numbers; a writer may leave out the bytes of the last group that nobody needs.
            let bytes = (length * self.width).min(end - self.at);
            self.run = Run::Packed(self.at * 8);
            self.left = (bytes * 8).checked_div(self.width).unwrap_or(length * 8);
            self.at += bytes;
        } else {
            let size = self.width.div_ceil(8);
            let value = self.bytes[..end].get(self.at..self.at + size).ok_or_else(ends)?;
            let mut number = [0; 4];
            number[..size].copy_from_slice(value);
            self.run = Run::Repeated(u32::from_le_bytes(number));
            self.left = length;
            self.at += size;
        }
        // An empty run is followed by another one, or by the end, which is an error.
        if self.left == 0 && self.at >= end { Err(ends()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], width: u8, parts: &[usize], expected: &[u32]) {
        let mut runs = Runs::new(bytes, width).unwrap();
        let mut numbers = Vec::new();
        parts.iter().for_each(|&count| runs.read(count, &mut numbers).unwrap());
        assert_eq!(numbers, expected);
    }

    #[test]
    fn runs_are_read_in_any_parts() {
        // The specification's example: 0 to 7 in three bits each.
        let packed = [0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        check(&packed, 3, &[8], &[0, 1, 2, 3, 4, 5, 6, 7]);
        check(&packed, 3, &[1, 0, 5], &[0, 1, 2, 3, 4, 5]);
        // Three times 300, an empty run, eight ones of sixteen bits of which one is written.
        check(&[6, 0x2c, 1, 0, 0, 0, 3, 1, 0], 16, &[2, 2], &[300, 300, 300, 1]);
        check(&[10], 0, &[5], &[0; 5]);
        check(&[0x03, 0xff, 0xff, 0xff, 0xff], 32, &[1], &[u32::MAX]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for (bytes, width) in [
            (&[][..], 1),
            (&[3], 1),
            (&[2], 9),
            (&[0, 0, 0], 8),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 8),
            (&[0x03, 0x01], 9),
        ] {
            assert!(Runs::new(bytes, width).unwrap().read(1, &mut Vec::new()).is_err(), "{bytes:?}");
        }
        assert!(Runs::new(&[], 33).is_err());
    }
}
