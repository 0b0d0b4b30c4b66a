//! The file's bytes: a stream that is encrypted as it is written, and decrypted as it is read.

use std::io::{self, Read, Write};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use rand::rngs::StdRng;
use zeroize::{Zeroize, Zeroizing};

use super::{Label, Unusable};
use packet::keys::{DrawnKey, WrappingKey};

const MAGIC: &[u8; 8] = b"dancuGS1";
/// Bytes that are encrypted together.
const CHUNK: usize = 1 << 20;
const TAG: usize = 16;
const WRAPPED: usize = 40;
/// A label is a few hundred bytes: more is no label.
const LONGEST_LABEL: usize = 4_096;
/// In a chunk's length.
const LAST: u32 = 1 << 31;

/// The cipher of one file, and which chunk is next.
struct Chunks {
    cipher: Aes256Gcm,
    /// All that comes before the chunks.
    head: Vec<u8>,
    next: u64,
}

impl Chunks {
    fn nonce(&self, is_last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.next.to_le_bytes());
        nonce[8] = u8::from(is_last);
        nonce
    }

    fn seal(&mut self, plain: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
        let payload = Payload { msg: plain, aad: &self.head };
        let sealed = self.cipher.encrypt(&Nonce::from(self.nonce(is_last)), payload);
        self.next += 1;
        sealed.map_err(|_| io::Error::other("a chunk cannot be encrypted"))
    }

    fn open(&mut self, sealed: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
        let payload = Payload { msg: sealed, aad: &self.head };
        let plain = self.cipher.decrypt(&Nonce::from(self.nonce(is_last)), payload);
        self.next += 1;
        plain.map_err(|_| invalid("a chunk was altered or is of another file"))
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Encrypts what is written to it.
pub(super) struct Sealer<W: Write> {
    out: W,
    chunks: Chunks,
    plain: Zeroizing<Vec<u8>>,
}

impl<W: Write> Sealer<W> {
    pub(crate) fn new(mut out: W, label: &Label, wrapping: &dyn WrappingKey) -> io::Result<Sealer<W>> {
        let mut rng: StdRng = rand::make_rng();
        let key = DrawnKey::draw(&mut rng);
        let label = serde_json::to_vec(label)?;
        let mut head = MAGIC.to_vec();
        head.extend(u32::try_from(label.len()).map_err(io::Error::other)?.to_le_bytes());
        head.extend(label);
        head.extend(wrapping.wrap(&key).map_err(io::Error::other)?);
        out.write_all(&head)?;
        let chunks = Chunks { cipher: Aes256Gcm::new((&**key.bytes()).into()), head, next: 0 };
        Ok(Sealer { out, chunks, plain: Zeroizing::new(Vec::with_capacity(CHUNK)) })
    }

    /// Writes the last chunk, without which the file is not whole.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        Ok(self.out)
    }

    fn put(&mut self, is_last: bool) -> io::Result<()> {
        let sealed = self.chunks.seal(&self.plain, is_last)?;
        self.plain.zeroize();
        let length = u32::try_from(sealed.len()).expect("a chunk is at most 1 MiB and its tag");
        self.out.write_all(&(length | if is_last { LAST } else { 0 }).to_le_bytes())?;
        self.out.write_all(&sealed)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.plain.len() == CHUNK {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A chunk is written when it is full, or at the end.
        Ok(())
    }
}

/// What comes before the chunks.
#[derive(Debug)]
pub(super) struct Head {
    pub label: Label,
    bytes: Vec<u8>,
    wrapped: [u8; WRAPPED],
}

/// Reads what comes before the chunks. Nothing of it can be relied on until a chunk has opened.
pub(super) fn read_label(input: &mut impl Read) -> Result<Head, Unusable> {
    let mut start = [0; 12];
    input.read_exact(&mut start)?;
    let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
    if start[..8] != *MAGIC || length > LONGEST_LABEL {
        return Err(Unusable::NotASnapshot);
    }
    let mut label = vec![0; length];
    input.read_exact(&mut label)?;
    let mut wrapped = [0; WRAPPED];
    input.read_exact(&mut wrapped)?;
    let parsed = serde_json::from_slice(&label).map_err(|_| Unusable::NotASnapshot)?;
    Ok(Head { label: parsed, bytes: [&start[..], &label, &wrapped].concat(), wrapped })
}

/// Decrypts what is read from it. A chunk that was altered, moved or left out ends the reading with an error.
pub(super) struct Opener<R: Read> {
    input: R,
    chunks: Chunks,
    plain: Zeroizing<Vec<u8>>,
    read: usize,
    is_over: bool,
}

impl<R: Read> Opener<R> {
    pub(crate) fn new(input: R, head: Head, wrapping: &dyn WrappingKey) -> Result<Opener<R>, Unusable> {
        let key = wrapping.unwrap(&head.wrapped)?;
        let chunks = Chunks { cipher: Aes256Gcm::new((&**key.bytes()).into()), head: head.bytes, next: 0 };
        Ok(Opener { input, chunks, plain: Zeroizing::new(Vec::new()), read: 0, is_over: false })
    }

    /// All was read, and it was the whole file.
    pub fn finish(mut self) -> io::Result<()> {
        if self.read(&mut [0])? != 0 {
            return Err(invalid("more follows than a gallery"));
        }
        match self.input.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(invalid("more follows the last chunk")),
        }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.input.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        let (is_last, length) = (length & LAST != 0, (length & !LAST) as usize);
        if length > CHUNK + TAG {
            return Err(invalid("a chunk is longer than chunks are"));
        }
        let mut sealed = vec![0; length];
        self.input.read_exact(&mut sealed)?;
        self.plain = Zeroizing::new(self.chunks.open(&sealed, is_last)?);
        (self.read, self.is_over) = (0, is_last);
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.read == self.plain.len() {
            if self.is_over || bytes.is_empty() {
                return Ok(0);
            }
            self.next_chunk()?;
        }
        let given = bytes.len().min(self.plain.len() - self.read);
        bytes[..given].copy_from_slice(&self.plain[self.read..self.read + given]);
        self.read += given;
        Ok(given)
    }
}
