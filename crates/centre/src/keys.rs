//! The keys that sign certificates and cards, in files or in a token, and what is made with the CSCA's.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::centre::{Centre, passphrase, signing_key};
use hsm::{Passphrase, Pin, Token, TokenConfig};
use issue::certificates::{Certifier, hex};
use pki::{Certificate, Crl, PublicKey, Signer, Suite};
use store::certificates as lists;

/// What `dancu pki init` chose, in `keys/pki.json`. Without the file: P-256, key files, the first CSCA key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub suite: String,
    /// Which of the CSCA's keys signs now, from 1.
    pub csca: u32,
    pub token: Option<TokenSettings>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenSettings {
    pub module: PathBuf,
    pub label: String,
    pub pin_file: Option<PathBuf>,
    pub pin_env: Option<String>,
}

impl Settings {
    fn load(path: &Path) -> Result<Settings> {
        if !path.exists() {
            return Ok(Settings { suite: Suite::ALL[0].name.to_owned(), csca: 1, token: None });
        }
        serde_json::from_slice(&fs::read(path)?).with_context(|| format!("{}", path.display()))
    }

    /// Whole or not at all: half a file would hide which key signs.
    pub fn save(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("draft");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&draft, path).with_context(|| format!("{}", path.display()))
    }
}

pub fn settings_path(centre: &Centre) -> PathBuf {
    centre.place.data.join("keys").join("pki.json")
}

/// The keys that sign certificates and cards, wherever they are.
#[derive(Clone)]
pub struct Keys {
    pub suite: Suite,
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
    pub async fn of(centre: &Centre) -> Result<Keys> {
        Self::with(centre, Settings::load(&settings_path(centre))?).await
    }

    pub async fn with(centre: &Centre, settings: Settings) -> Result<Keys> {
        let folder = centre.place.data.join("keys");
        tokio::task::spawn_blocking(move || {
            let name = &settings.suite;
            let suite = Suite::named(name).with_context(|| format!("there is no suite `{name}`"))?;
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
    pub async fn current_csca(&self) -> Result<Arc<dyn Signer>> {
        self.csca(self.settings.csca).await
    }

    pub async fn csca(&self, number: u32) -> Result<Arc<dyn Signer>> {
        let name = if number == 1 { "csca".to_owned() } else { format!("csca-{number}") };
        self.key(name).await
    }

    pub async fn document_signer(&self, number: u32) -> Result<Arc<dyn Signer>> {
        self.key(format!("document-signer-{number}")).await
    }

    /// The key of this name, made when there is none.
    pub async fn key(&self, name: String) -> Result<Arc<dyn Signer>> {
        let keys = self.clone();
        tokio::task::spawn_blocking(move || -> Result<Arc<dyn Signer>> {
            let algorithm = keys.suite.algorithm;
            match keys.store.as_ref() {
                KeyStore::Files(passphrase) => {
                    let path = keys.folder.join(format!("{name}.key"));
                    let signer = signing_key(&path, algorithm, passphrase)?;
                    ensure!(signer.algorithm() == algorithm, "{} is a key of another kind", path.display());
                    Ok(Arc::new(signer))
                }
                KeyStore::Token(token) => Ok(match token.find(&name)? {
                    Some(signer) => Arc::new(signer),
                    None => Arc::new(token.generate(&name, algorithm)?),
                }),
            }
        })
        .await?
    }

    pub fn certifier<'a>(&self, centre: &'a Centre) -> Certifier<'a, impl FnMut() -> [u8; 16] + use<>> {
        Certifier { db: &centre.db, suite: self.suite, draw_serial: serials(), now: centre.clock.now() }
    }
}

/// Serial numbers from the system's generator.
pub fn serials() -> impl FnMut() -> [u8; 16] {
    let mut rng: StdRng = rand::make_rng();
    move || {
        let mut serial = [0; 16];
        rng.fill_bytes(&mut serial);
        serial
    }
}

/// The CSCA certificates with their keys, oldest first.
pub async fn cscas(centre: &Centre, keys: &Keys) -> Result<Vec<(Certificate, Arc<dyn Signer>)>> {
    let mut conn = centre.db.begin().await?;
    let stored = store::issue::certificates(&mut conn, "csca").await?;
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

/// The list that covers now of the CSCA certificate with this serial number: the newest one, or another if that is
/// over. Without the CSCA's key only what was issued before; `None` when there is nothing.
pub async fn current_crl(centre: &Centre, csca_serial: &str) -> Result<Option<Vec<u8>>> {
    let mut conn = centre.db.begin().await?;
    let newest = lists::newest_crl(&mut conn, csca_serial).await?;
    drop(conn);
    let keys = Keys::of(centre).await?;
    let cscas = cscas(centre, &keys).await?;
    let found = cscas.into_iter().find(|(csca, _)| hex(csca.serial()) == csca_serial);
    let Some((csca, key)) = found else { return Ok(newest) };
    if let Some(der) = newest
        && Crl::from_der(&der, &csca)?.covers(centre.clock.now())
    {
        return Ok(Some(der));
    }
    Ok(Some(keys.certifier(centre).crl(&csca, key.as_ref(), 90).await?))
}
