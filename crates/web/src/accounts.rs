//! Accounts: passwords as Argon2id, and the accounts of a demonstration.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rand::CryptoRng;
use time::OffsetDateTime;

use crate::session::Role;
use domain::id::AccountId;
use domain::unit::Units;
use domain::{Actor, UnitCode};
use store::accounts::{Account, by_login, insert, set_password};
use store::{Database, UnitScope};

/// What can go wrong with accounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("unit {0} is not in the list of units; take a district's code such as 445")]
    UnknownUnit(UnitCode),
    #[error("{doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the password could not be hashed")]
    Hash,
    #[error("a login has 3 to 32 small letters, digits, full stops and hyphens, and begins with a letter")]
    Login,
    #[error("the name has no letter in it, or more than 100 characters")]
    DisplayName,
    #[error("a password has at least {MIN_PASSWORD} characters and at most 256; this has {0}")]
    Password(usize),
    #[error("there is an account {0} already; choose another login, or set its password")]
    Exists(String),
    #[error("there is no account {0}")]
    NoAccount(String),
    #[error("the account {0} was disabled before")]
    Disabled(String),
}

/// Long, and no other rule: rules about kinds of characters make passwords that are written on notes (NIST SP
/// 800-63B).
pub const MIN_PASSWORD: usize = 12;

/// Somebody who is to sign in.
#[derive(Debug, Clone)]
pub struct NewAccount<'a> {
    pub login: &'a str,
    pub display_name: &'a str,
    pub role: Role,
    /// Whose people the account sees; `None` for the whole country.
    pub unit: Option<UnitCode>,
}

/// Makes an account and an audit row about it. `actor` is who does it.
///
/// # Errors
/// A login, name or password that cannot be; a login that is taken; an unknown unit; those of the database.
pub async fn add(
    db: &Database,
    units: Units<'_>,
    new: &NewAccount<'_>,
    password: &str,
    actor: &Actor,
    now: OffsetDateTime,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<AccountId, AccountError> {
    check_login(new.login)?;
    let name = new.display_name.trim();
    if !name.chars().any(char::is_alphanumeric) || name.chars().count() > 100 {
        return Err(AccountError::DisplayName);
    }
    let scope = match new.unit {
        Some(unit) => UnitScope::parse(&units.path(unit).ok_or(AccountError::UnknownUnit(unit))?)?,
        None => UnitScope::everything(),
    };
    let password_hash = hash_new(password, rng).await?;
    let mut salt = [0u8; 16];
    rng.fill_bytes(&mut salt);
    let id = AccountId::derive(now, &[new.login.as_bytes(), &salt]);
    let account = Account {
        id: id.uuid(),
        login: new.login.to_owned(),
        role: new.role.code().to_owned(),
        scope,
        display_name: name.to_owned(),
        password_hash,
        created_at: now,
        disabled_at: None,
    };
    let mut tx = db.begin().await?;
    match insert(&mut tx, &account).await {
        Err(e) if e.violates("account_login_key") => return Err(AccountError::Exists(new.login.to_owned())),
        outcome => outcome?,
    }
    let detail = serde_json::json!({ "role": account.role, "unit_path": account.scope.as_str() });
    note(&mut tx, "account.added", account.id, actor, detail, now).await?;
    store::commit(tx).await?;
    Ok(id)
}

/// Gives an account another password and ends its sessions.
///
/// # Errors
/// No such account, a password that cannot be, those of the database.
pub async fn change_password(
    db: &Database,
    login: &str,
    password: &str,
    actor: &Actor,
    now: OffsetDateTime,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<(), AccountError> {
    let password_hash = hash_new(password, rng).await?;
    let mut tx = db.begin().await?;
    let account = by_login(&mut tx, login).await?.ok_or_else(|| AccountError::NoAccount(login.to_owned()))?;
    set_password(&mut tx, account.id, &password_hash).await?;
    note(&mut tx, "account.password_set", account.id, actor, serde_json::json!({}), now).await?;
    store::commit(tx).await?;
    Ok(())
}

/// Disables an account and ends its sessions. What it did stays under its id.
///
/// # Errors
/// No such account, or it was disabled before; those of the database.
pub async fn disable(
    db: &Database,
    login: &str,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), AccountError> {
    let mut tx = db.begin().await?;
    let account = by_login(&mut tx, login).await?.ok_or_else(|| AccountError::NoAccount(login.to_owned()))?;
    if !store::accounts::disable(&mut tx, account.id, now).await? {
        return Err(AccountError::Disabled(login.to_owned()));
    }
    note(&mut tx, "account.disabled", account.id, actor, serde_json::json!({}), now).await?;
    store::commit(tx).await?;
    Ok(())
}

async fn note(
    tx: &mut store::PgConnection,
    action: &str,
    account: uuid::Uuid,
    actor: &Actor,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), AccountError> {
    let entry = store::audit::Entry {
        at: now,
        actor: actor.clone(),
        action: action.to_owned(),
        subject: format!("account:{account}"),
        unit_path: String::new(),
        detail,
    };
    Ok(store::audit::append(tx, &entry).await?)
}

fn check_login(login: &str) -> Result<(), AccountError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let begins = login.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && (3..=32).contains(&login.len()) && login.chars().all(good) {
        Ok(())
    } else {
        Err(AccountError::Login)
    }
}

async fn hash_new(password: &str, rng: &mut (dyn CryptoRng + Send)) -> Result<String, AccountError> {
    let length = password.chars().count();
    if !(MIN_PASSWORD..=256).contains(&length) {
        return Err(AccountError::Password(length));
    }
    let mut salt = [0u8; 16];
    rng.fill_bytes(&mut salt);
    hash(password.to_owned(), salt).await
}

/// An account of the demonstration with its password in the clear, for the console.
#[derive(Clone)]
pub struct DemoAccount {
    pub login: &'static str,
    pub password: String,
    pub role: Role,
    /// The unit in full.
    pub unit: String,
}

const FILE: &str = "demo-accounts.txt";

/// Without letters and digits that look alike. Twelve of 32 are 60 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Makes the accounts of a demonstration of `district`, or finds those of an earlier start: passwords are in
/// `demo-accounts.txt` in the data directory, readable by its owner only. An account whose password was lost
/// with that file gets a new one. The officer belongs to the district's first commune, everybody else to the
/// district.
///
/// # Errors
/// An unknown district, the file, the database.
pub async fn create_demo(
    db: &Database,
    units: Units<'_>,
    district: UnitCode,
    data_dir: &Path,
    now: OffsetDateTime,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<Vec<DemoAccount>, AccountError> {
    let path = units.path(district).ok_or(AccountError::UnknownUnit(district))?;
    let commune = units.leaves_of(district).first().copied().unwrap_or(district);
    let commune_path = units.path(commune).ok_or(AccountError::UnknownUnit(commune))?;
    let file = data_dir.join(FILE);
    let known = read_passwords(&file)?;
    let mut made = Vec::new();
    let people: [(&'static str, &str, Role, &str); 6] = [
        ("chihuy", "Chỉ huy trình diễn", Role::Commander, &path),
        ("canbo", "Cán bộ trình diễn", Role::Officer, &commune_path),
        ("thamdinh1", "Thẩm định viên trình diễn 1", Role::Adjudicator, &path),
        ("thamdinh2", "Thẩm định viên trình diễn 2", Role::Adjudicator, &path),
        ("hotich", "Nhập liệu trình diễn", Role::Clerk, &path),
        ("tuphap", "Cán bộ tư pháp trình diễn", Role::Justice, &path),
    ];
    for (login, display_name, role, unit_path) in people {
        let password = known.iter().find(|(l, _)| l == login).map(|(_, p)| p.clone());
        let password = password.unwrap_or_else(|| random_password(rng));
        let account = Demo { login, display_name, role, unit_path };
        ensure(db, &account, &password, now, rng).await?;
        let code = if unit_path == path { district } else { commune };
        let unit = units.full_name(code).unwrap_or_default();
        made.push(DemoAccount { login, password, role, unit });
    }
    write_passwords(&file, &made)?;
    Ok(made)
}

struct Demo<'a> {
    login: &'a str,
    display_name: &'a str,
    role: Role,
    unit_path: &'a str,
}

async fn ensure(
    db: &Database,
    demo: &Demo<'_>,
    password: &str,
    now: OffsetDateTime,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<(), AccountError> {
    let mut tx = db.begin().await?;
    let found = by_login(&mut tx, demo.login).await?;
    let matches = match &found {
        Some(account) => verify(password.to_owned(), account.password_hash.clone()).await,
        None => false,
    };
    if matches {
        return Ok(());
    }
    let mut salt = [0u8; 16];
    rng.fill_bytes(&mut salt);
    let password_hash = hash(password.to_owned(), salt).await?;
    match found {
        Some(account) => {
            set_password(&mut tx, account.id, &password_hash).await?;
        }
        None => {
            let account = Account {
                id: AccountId::derive(now, &[b"demo", demo.login.as_bytes()]).uuid(),
                login: demo.login.to_owned(),
                role: demo.role.code().to_owned(),
                scope: UnitScope::parse(demo.unit_path)?,
                display_name: demo.display_name.to_owned(),
                password_hash,
                created_at: now,
                disabled_at: None,
            };
            insert(&mut tx, &account).await?;
        }
    }
    store::commit(tx).await?;
    Ok(())
}

/// Hashes a password as Argon2id in PHC string form, off the async threads: it takes tens of milliseconds and
/// 19 MiB.
///
/// # Errors
/// [`AccountError::Hash`] when memory is short.
pub async fn hash(password: String, salt: [u8; 16]) -> Result<String, AccountError> {
    let work =
        move || Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map(|h| h.to_string());
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(hash)) => Ok(hash),
        Ok(Err(_)) | Err(_) => Err(AccountError::Hash),
    }
}

/// Whether the password belongs to the hash.
pub(crate) async fn verify(password: String, hash: String) -> bool {
    let work = move || {
        let parsed = PasswordHash::new(&hash);
        parsed.is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}

/// The work of checking a password for a login that does not exist, so that the time tells nothing. Never
/// true.
pub(crate) async fn verify_nobody(password: String) -> bool {
    static NOBODY: OnceLock<String> = OnceLock::new();
    let work = || {
        let hash = || Argon2::default().hash_password_with_salt(b"nobody", &[0; 16]);
        NOBODY.get_or_init(|| hash().map(|hash| hash.to_string()).unwrap_or_default()).clone()
    };
    if let Ok(hash) = tokio::task::spawn_blocking(work).await {
        verify(password, hash).await;
    }
    false
}

fn random_password(rng: &mut (dyn CryptoRng + Send)) -> String {
    let mut bytes = [0u8; 12];
    rng.fill_bytes(&mut bytes);
    let mut password = String::with_capacity(14);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        password.push(LETTERS[usize::from(byte % 32)] as char);
    }
    password
}

fn read_passwords(file: &Path) -> Result<Vec<(String, String)>, AccountError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?.to_owned(), words.next()?.to_owned()))
            })
            .collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(AccountError::File { doing: "reading", path: file.to_owned(), source }),
    }
}

/// Writes the file whole or not at all.
fn write_passwords(file: &Path, accounts: &[DemoAccount]) -> Result<(), AccountError> {
    let failed = |source| AccountError::File { doing: "writing", path: file.to_owned(), source };
    let mut text = String::from("# login  password  role\n");
    for account in accounts {
        text.push_str(&format!("{:<10} {}  {}\n", account.login, account.password, account.role.code()));
    }
    let new = file.with_extension("txt.new");
    let _ = std::fs::remove_file(&new);
    let mut out =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
    std::fs::rename(&new, file).map_err(failed)
}
