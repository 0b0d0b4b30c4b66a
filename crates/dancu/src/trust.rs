//! Whom a check of a card trusts, from files: CSCA certificates, master lists, link certificates, revocation
//! lists.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64ct::{Base64, Encoding};

use crate::pki::read;
use pki::{Certificate, MasterList};
use verify::ListNeed;

/// The object identifier signedData (RFC 5652 §5.1) with its tag: what tells a list from a certificate.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TrustOptions {
    /// A CSCA certificate to trust (DER or PEM), or a CSCA master list; may be repeated. A master list counts
    /// when its signer stands under a CSCA certificate that is named too.
    #[arg(long, value_name = "FILE")]
    pub trust: Vec<PathBuf>,
    /// A CSCA's link certificate (DER or PEM): leads from a trusted key to the one that followed it. May be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    pub link: Vec<PathBuf>,
    /// A revocation list (DER or PEM); may be repeated. Of a directory with `crl.der`, that list is used as
    /// well.
    #[arg(long, value_name = "FILE")]
    pub crl: Vec<PathBuf>,
    /// Take a card for genuine also by a revocation list that is over, which does not have the keys that were
    /// revoked since.
    #[arg(long)]
    pub overdue_list: bool,
}

/// What was read, in DER, and where it came from, for whoever reads the verdict.
#[derive(Debug, Default)]
pub struct Sources {
    pub trust: Vec<Vec<u8>>,
    pub links: Vec<Vec<u8>>,
    pub crls: Vec<Vec<u8>>,
    pub need: ListNeed,
    pub notes: Vec<Note>,
}

/// Where a part of the evidence came from.
#[derive(Debug)]
pub struct Note {
    /// `trust`, `link` or `crl`.
    pub kind: &'static str,
    pub from: String,
    /// It lay beside the card's files, so that whoever brought them chose it.
    pub beside: bool,
}

impl TrustOptions {
    /// Reads the files. `beside` is the card's directory, where certificates and a list may lie that `dancu
    /// card export` wrote.
    pub fn load(&self, beside: Option<&Path>) -> Result<Sources> {
        let need = if self.overdue_list { ListNeed::No } else { ListNeed::IfGiven };
        let mut sources = Sources { need, ..Sources::default() };
        let mut lists = Vec::new();
        for path in &self.trust {
            match trusted(path)? {
                Trusted::Certificates(certificates) => {
                    sources.note("trust", path, false);
                    sources.trust.extend(certificates);
                }
                Trusted::MasterList(list) => lists.push((path, list)),
            }
        }
        sources.master_lists(&lists)?;
        for path in &self.link {
            sources.links.extend(certificates(path)?);
            sources.note("link", path, false);
        }
        for path in &self.crl {
            sources.crls.extend(ders(path)?);
            sources.note("crl", path, false);
        }
        let Some(dir) = beside else { return Ok(sources) };
        let (csca, crl) = (dir.join("csca.der"), dir.join("crl.der"));
        if sources.trust.is_empty() && csca.exists() {
            sources.trust.extend(certificates(&csca)?);
            sources.note("trust", &csca, true);
        }
        if crl.exists() {
            sources.crls.extend(ders(&crl)?);
            sources.note("crl", &crl, true);
        }
        Ok(sources)
    }
}

impl Sources {
    fn note(&mut self, kind: &'static str, path: &Path, beside: bool) {
        self.notes.push(Note { kind, from: path.display().to_string(), beside });
    }

    /// Whether the trust itself came with the card, which then proves only that the files belong together.
    pub fn is_trust_beside(&self) -> bool {
        self.notes.iter().any(|note| note.kind == "trust" && note.beside)
    }

    fn master_lists(&mut self, lists: &[(&PathBuf, Vec<u8>)]) -> Result<()> {
        let vouching: Vec<Certificate> =
            self.trust.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
        for (path, list) in lists {
            let name = path.display();
            if vouching.is_empty() {
                bail!(
                    "{name} is a master list: also name the CSCA certificate that vouches for it, with \
                     --trust"
                );
            }
            let list = MasterList::from_der(list, &vouching).with_context(|| {
                format!("the master list {name}, held against the CSCA certificates named with --trust")
            })?;
            self.trust.extend(list.certificates().iter().map(|certificate| certificate.der().to_vec()));
            self.notes.push(Note {
                kind: "trust",
                from: format!("{name} ({} CSCA certificates)", list.certificates().len()),
                beside: false,
            });
        }
        Ok(())
    }
}

enum Trusted {
    Certificates(Vec<Vec<u8>>),
    MasterList(Vec<u8>),
}

fn trusted(path: &Path) -> Result<Trusted> {
    let ders = ders(path)?;
    // ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, … }: the identifier follows the outer header
    // at once.
    let is_list = |der: &Vec<u8>| (2..=6).any(|at| der.get(at..).is_some_and(|d| d.starts_with(SIGNED_DATA)));
    match <[Vec<u8>; 1]>::try_from(ders) {
        Ok([list]) if is_list(&list) => Ok(Trusted::MasterList(list)),
        Ok(one) => Ok(Trusted::Certificates(checked(path, one.to_vec())?)),
        Err(several) => Ok(Trusted::Certificates(checked(path, several)?)),
    }
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>> {
    checked(path, ders(path)?)
}

/// A file that was named must be what it was named for; the check itself passes over what it cannot read.
fn checked(path: &Path, ders: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    for der in &ders {
        Certificate::from_der(der)
            .with_context(|| format!("{} is neither a certificate nor a master list", path.display()))?;
    }
    Ok(ders)
}

/// The file's one DER structure, or those of its PEM blocks.
fn ders(path: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = read(path)?;
    if !bytes.starts_with(b"-----BEGIN") {
        return Ok(vec![bytes]);
    }
    let name = path.display();
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{name}: a PEM file is text"))?;
    let mut all = Vec::new();
    for block in text.split("-----BEGIN ").skip(1) {
        let body = block.split_once("-----").and_then(|(_, rest)| rest.split_once("-----END "));
        let Some((body, _)) = body else { bail!("{name}: a PEM block does not end") };
        let body: String = body.split_whitespace().collect();
        all.push(
            Base64::decode_vec(&body).map_err(|_| anyhow::anyhow!("{name}: a PEM block is not base 64"))?,
        );
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, bytes).expect("a scratch directory can be written");
        path
    }

    #[test]
    fn pem_may_hold_several_and_what_is_broken_is_told() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let block = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
        let two = file(dir.path(), "two.pem", block.repeat(2).as_bytes());
        assert_eq!(ders(&two).expect("two blocks"), [vec![0x30, 0], vec![0x30, 0]]);
        for (name, text) in
            [("end", "-----BEGIN X-----\nMAA="), ("text", "-----BEGIN X-----\n!\n-----END X-----")]
        {
            assert!(ders(&file(dir.path(), name, text.as_bytes())).is_err(), "{name}");
        }
        let options =
            TrustOptions { trust: vec![file(dir.path(), "x.der", b"0")], ..TrustOptions::default() };
        let error = format!("{:#}", options.load(None).expect_err("no certificate"));
        assert!(error.contains("neither a certificate nor a master list"), "{error}");
        let list = [&[0x30, 0x0B][..], SIGNED_DATA].concat();
        let options =
            TrustOptions { trust: vec![file(dir.path(), "l.ml", &list)], ..TrustOptions::default() };
        let error = format!("{:#}", options.load(None).expect_err("nobody vouches"));
        assert!(error.contains("vouches"), "{error}");
    }
}
