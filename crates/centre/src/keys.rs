//! The keys that sign certificates and cards, in files or in a token, and what is made with the CSCA's.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::key_files::{existing, key_folder, make_signing_key, passphrase};
use crate::{Error, Installation};
use hsm::{Passphrase, Pin, SoftwareSigner, Token, TokenConfig};
use issue::certificates::Certifier;
use pki::{Certificate, PublicKey, Signer, Suite};

/// What `dancu pki init` chose, in `keys/pki.json`. Without the file: P-256, key files, the first CSCA key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The suite's name.
    pub suite: String,
    /// Which of the CSCA's keys signs now, from 1.
    pub csca: u32,
    /// The token that holds the keys; without it they lie in files.
    pub token: Option<TokenSettings>,
}

/// Which token holds the keys, and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSettings {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The token's label.
    pub label: String,
    /// A file with its PIN.
    pub pin_file: Option<PathBuf>,
    /// The environment variable with its PIN; `DANCU_TOKEN_PIN` when neither is given.
    pub pin_env: Option<String>,
}

impl Settings {
    /// The settings in this file; without it those of an installation that chose none.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Settings`].
    pub fn load(path: &Path) -> Result<Settings, Error> {
        if !path.exists() {
            return Ok(Settings { suite: Suite::ALL[0].name.to_owned(), csca: 1, token: None });
        }
        let bytes = fs::read(path).map_err(Error::file(path, "read the settings of the keys"))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Settings { path: path.to_owned(), source })
    }

    /// Whole or not at all: half a file would hide which key signs.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let write = || {
            let draft = path.with_extension("draft");
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&draft, path)
        };
        write().map_err(Error::file(path, "write the settings of the keys"))
    }
}

/// Where the settings of an installation's keys are kept.
pub fn settings_path(centre: &Installation) -> PathBuf {
    key_folder(&centre.place).join("pki.json")
}

/// A suite by its name.
///
/// # Errors
/// [`Error::Suite`], with the names that there are.
pub fn suite(name: &str) -> Result<Suite, Error> {
    Suite::named(name).ok_or_else(|| {
        let known: Vec<&str> = Suite::ALL.iter().map(|suite| suite.name).collect();
        Error::Suite { name: name.to_owned(), known: known.join(", ") }
    })
}

/// The keys that sign certificates and cards, wherever they are.
#[derive(Clone)]
pub struct Keys {
    /// Algorithm and parameters of all of them.
    pub suite: Suite,
    /// Where they are, and which of the CSCA's signs.
    pub settings: Settings,
    folder: PathBuf,
    store: Arc<KeyStore>,
}

enum KeyStore {
    Files(Passphrase),
    Token(Token),
}

impl Keys {
    /// The keys of this installation.
    ///
    /// # Errors
    /// Those of [`Keys::with`]; settings that cannot be read.
    pub async fn of(centre: &Installation) -> Result<Keys, Error> {
        Self::with(centre, Settings::load(&settings_path(centre))?).await
    }

    /// The keys that these settings describe.
    ///
    /// # Errors
    /// An unknown suite; a passphrase, PIN or token that does not open.
    pub async fn with(centre: &Installation, settings: Settings) -> Result<Keys, Error> {
        let folder = key_folder(&centre.place);
        tokio::task::spawn_blocking(move || -> Result<Keys, Error> {
            let suite = suite(&settings.suite)?;
            let store = match &settings.token {
                None => KeyStore::Files(passphrase(&folder)?),
                Some(token) => {
                    let pin = match (&token.pin_file, &token.pin_env) {
                        (Some(file), _) => Pin::from_file(file)?,
                        (None, Some(variable)) => Pin::from_environment(variable)?,
                        (None, None) => Pin::from_environment("DANCU_TOKEN_PIN")?,
                    };
                    KeyStore::Token(Token::open(TokenConfig::new(token.module.clone(), &token.label, pin))?)
                }
            };
            Ok(Keys { suite, settings, folder, store: Arc::new(store) })
        })
        .await?
    }

    /// The key of the CSCA that signs now.
    ///
    /// # Errors
    /// Those of [`Keys::key`].
    pub async fn current_csca(&self) -> Result<Arc<dyn Signer>, Error> {
        self.csca(self.settings.csca).await
    }

    /// The CSCA's key of this number, from 1.
    ///
    /// # Errors
    /// Those of [`Keys::key`].
    pub async fn csca(&self, number: u32) -> Result<Arc<dyn Signer>, Error> {
        self.key(Self::csca_name(number)).await
    }

    /// What the CSCA's key of this number is called, from 1.
    pub fn csca_name(number: u32) -> String {
        if number == 1 { "csca".to_owned() } else { format!("csca-{number}") }
    }

    /// What the document signer's key of this number is called, from 1.
    pub fn document_signer_name(number: u32) -> String {
        format!("document-signer-{number}")
    }

    /// The key of this name.
    ///
    /// # Errors
    /// [`Error::NoKey`], [`Error::NoTokenKey`]: it is not there; a file or token that cannot be used;
    /// [`Error::AnotherKind`].
    pub async fn key(&self, name: String) -> Result<Arc<dyn Signer>, Error> {
        let keys = self.clone();
        tokio::task::spawn_blocking(move || match keys.store.as_ref() {
            KeyStore::Files(passphrase) => {
                let path = existing(keys.path(&name), maker(&name))?;
                keys.of_suite(SoftwareSigner::load(&path, passphrase)?, path)
            }
            KeyStore::Token(token) => match token.find(&name)? {
                Some(signer) => Ok(Arc::new(signer) as Arc<dyn Signer>),
                None => Err(Error::NoTokenKey { make: maker(&name), name }),
            },
        })
        .await?
    }

    /// The key of this name, made where there is none: for the command whose work is to make it. One that it
    /// made before it was stopped is taken.
    ///
    /// # Errors
    /// A file or token that cannot be used; [`Error::AnotherKind`].
    pub async fn make(&self, name: String) -> Result<Arc<dyn Signer>, Error> {
        let keys = self.clone();
        tokio::task::spawn_blocking(move || {
            let algorithm = keys.suite.algorithm;
            match keys.store.as_ref() {
                KeyStore::Files(passphrase) => {
                    let path = keys.path(&name);
                    keys.of_suite(make_signing_key(&path, algorithm, passphrase)?, path)
                }
                KeyStore::Token(token) => Ok(match token.find(&name)? {
                    Some(signer) => Arc::new(signer) as Arc<dyn Signer>,
                    None => Arc::new(token.generate(&name, algorithm)?),
                }),
            }
        })
        .await?
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn of_suite(&self, signer: SoftwareSigner, path: PathBuf) -> Result<Arc<dyn Signer>, Error> {
        if signer.algorithm() == self.suite.algorithm {
            Ok(Arc::new(signer))
        } else {
            Err(Error::AnotherKind { path })
        }
    }

    /// What certificates and lists are made with, now.
    pub fn certifier<'a>(&self, centre: &'a Installation) -> Certifier<'a, impl FnMut() -> [u8; 16] + use<>> {
        Certifier { db: &centre.db, suite: self.suite, draw_serial: serials(), now: centre.clock.now() }
    }
}

/// The command that makes the key of this name.
fn maker(name: &str) -> &'static str {
    match name {
        "csca" => "dancu pki init",
        name if name.starts_with("csca-") => "dancu pki roll",
        name if name.starts_with("document-signer-") => "dancu pki issue-ds",
        name if name.starts_with("cv-vncvca") => "dancu pki cvca",
        name if name.starts_with("cv-") => "dancu pki dv",
        _ => "dancu pki",
    }
}

/// Serial numbers from the system's generator.
fn serials() -> impl FnMut() -> [u8; 16] {
    let mut rng: StdRng = rand::make_rng();
    move || {
        let mut serial = [0; 16];
        rng.fill_bytes(&mut serial);
        serial
    }
}

/// The CSCA certificates with their keys, oldest first.
///
/// # Errors
/// Those of the database and of [`Keys::key`]; a stored certificate that cannot be read.
pub async fn cscas(centre: &Installation, keys: &Keys) -> Result<Vec<(Certificate, Arc<dyn Signer>)>, Error> {
    let mut conn = centre.db.read().await?;
    let stored = store::cards::certificates::certificates(&mut conn, "csca").await?;
    drop(conn);
    let stored: Vec<Certificate> =
        stored.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for number in 1..=keys.settings.csca {
        let key = keys.csca(number).await?;
        let public = PublicKey::from_spki(key.public_key())?;
        for certificate in &stored {
            if certificate.key()? == public {
                found.push((certificate.clone(), Arc::clone(&key)));
            }
        }
    }
    Ok(found)
}
