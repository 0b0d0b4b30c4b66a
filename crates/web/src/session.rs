//! Who is signed in: the cookie, the session row behind it, and the value that every form of the session
//! carries.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::error::Error;
use crate::state::{AppState, Settings};
use domain::Actor;
use domain::correction::{By, Desk};
use domain::id::AccountId;
use store::{UnitScope, audit, sessions};

/// A session ends after so long without a page.
pub(crate) const LIFE: Duration = Duration::hours(12);
/// The end is moved at most this often, so that a page does not always write.
const SLIDE: Duration = Duration::minutes(10);

/// What an account may do. The code is stored in `account.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// District or province command: progress, ledger, any application.
    Commander,
    /// Commune police officer: today's invitations, people, applications.
    Officer,
    /// Decides cases at the centre.
    Adjudicator,
    /// Register clerk: people and refused forms.
    Clerk,
    /// Justice office (tư pháp – hộ tịch): the cases of correction that it is asked about, and nothing else.
    Justice,
}

impl Role {
    /// In the order in which the documentation lists them.
    pub const ALL: [Role; 5] =
        [Role::Commander, Role::Officer, Role::Adjudicator, Role::Clerk, Role::Justice];

    /// Those who work with the register and the applications of their unit.
    pub const STAFF: [Role; 4] = [Role::Commander, Role::Officer, Role::Adjudicator, Role::Clerk];

    /// The word that is stored and given to `account add`.
    pub const fn code(self) -> &'static str {
        match self {
            Role::Commander => "commander",
            Role::Officer => "officer",
            Role::Adjudicator => "adjudicator",
            Role::Clerk => "clerk",
            Role::Justice => "justice",
        }
    }

    /// The inverse of [`Role::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// The page that a person of this role begins the day with.
    pub const fn home(self) -> &'static str {
        match self {
            Role::Commander => "/tong-quan",
            Role::Officer => "/lich-moi",
            Role::Adjudicator => "/ho-so-xet",
            Role::Clerk => "/cu-dan",
            Role::Justice => "/cai-chinh",
        }
    }
}

/// A signed-in person. Handlers of routes that need one take it as an argument.
#[derive(Clone)]
pub struct Who {
    pub account: AccountId,
    pub role: Role,
    pub scope: UnitScope,
    pub display_name: String,
    pub(crate) csrf_secret: [u8; 32],
    pub(crate) token_hash: [u8; 32],
    /// What the cookie holds: whoever holds the keys asks for it before a photo is opened.
    pub(crate) token: String,
    /// Over which line the page was asked for, for the audit trail.
    pub(crate) address: String,
}

impl Who {
    /// The actor of audit rows and recorded actions.
    pub fn actor(&self) -> Actor {
        Actor::Account(self.account)
    }

    /// The value for a form's hidden field: the session's secret under a fresh mask, so that a compressed
    /// page does not give it away bit by bit (the BREACH attack).
    pub(crate) fn form_token(&self, mask: [u8; 32]) -> String {
        let mut token = String::with_capacity(128);
        let masked: Vec<u8> = mask.iter().zip(self.csrf_secret).map(|(m, s)| m ^ s).collect();
        for byte in mask.iter().chain(&masked) {
            token.push_str(&format!("{byte:02x}"));
        }
        token
    }

    /// Whether a form's hidden field belongs to this session.
    pub(crate) fn owns(&self, token: &str) -> bool {
        if token.len() != 128 || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return false;
        }
        let byte = |at: usize| u8::from_str_radix(&token[2 * at..2 * at + 2], 16).unwrap_or(0);
        // No early end: the time does not tell how much of a guess was right.
        (0..32).fold(0u8, |wrong, i| wrong | (byte(i) ^ byte(32 + i) ^ self.csrf_secret[i])) == 0
    }

    /// For which office this person acts on cases of correction; `None` where the role has no part in them.
    pub(crate) fn by(&self) -> Option<By> {
        let desk = Desk::from_code(self.role.code())?;
        Some(By { actor: self.actor(), desk })
    }

    /// An audit row for something this person did or read.
    pub(crate) fn entry(
        &self,
        at: OffsetDateTime,
        action: &str,
        subject: String,
        unit_path: &str,
    ) -> audit::Entry {
        audit::Entry {
            at,
            actor: self.actor(),
            action: action.to_owned(),
            subject,
            unit_path: unit_path.to_owned(),
            detail: serde_json::json!({ "address": self.address }),
        }
    }
}

/// The guard puts `Who` there; a public route has none.
impl FromRequestParts<AppState> for Who {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Who, Error> {
        parts.extensions.get::<Who>().cloned().ok_or(Error::SignedOut)
    }
}

/// Writes an audit row about something that was refused.
pub(crate) async fn deny(state: &AppState, who: &Who, subject: String) -> Result<(), Error> {
    let mut tx = state.db.begin().await?;
    let entry = who.entry(state.clock.now(), "denied", subject, who.scope.as_str());
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    Ok(())
}

/// Begins a session and returns the value for `Set-Cookie`.
pub(crate) async fn begin(state: &AppState, account: &store::accounts::Account) -> Result<String, Error> {
    let (token, now) = (hex(&state.random_32()), state.clock.now());
    let session = sessions::Session {
        token_hash: hash(&token),
        account_id: account.id,
        csrf_secret: state.random_32(),
        created_at: now,
        expires_at: now + LIFE,
    };
    let mut tx = state.db.begin().await?;
    sessions::delete_expired(&mut tx, now).await?;
    sessions::insert(&mut tx, &session).await?;
    let entry = audit::Entry {
        at: now,
        actor: Actor::Account(AccountId::from_uuid(account.id)),
        action: "session.began".to_owned(),
        subject: format!("account:{}", account.id),
        unit_path: account.scope.as_str().to_owned(),
        detail: serde_json::json!({}),
    };
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    Ok(cookie(&state.settings, "phien", &token, LIFE))
}

/// Ends a session and returns the value for `Set-Cookie`.
pub(crate) async fn end(state: &AppState, who: &Who) -> Result<String, Error> {
    let mut tx = state.db.begin().await?;
    sessions::delete(&mut tx, &who.token_hash).await?;
    let subject = who.actor().to_string();
    audit::append(&mut tx, &who.entry(state.clock.now(), "session.ended", subject, who.scope.as_str()))
        .await?;
    store::commit(tx).await?;
    Ok(cookie(&state.settings, "phien", "", Duration::ZERO))
}

/// The signed-in person of a request, if there is one; moves the session's end.
pub(crate) async fn load(state: &AppState, headers: &HeaderMap) -> Result<Option<Who>, Error> {
    let Some(token) = cookie_value(headers, &state.settings, "phien") else { return Ok(None) };
    let (token_hash, now) = (hash(token), state.clock.now());
    let mut tx = state.db.begin().await?;
    let Some((session, account)) = sessions::find(&mut tx, &token_hash, now).await? else {
        return Ok(None);
    };
    let Some(role) = Role::from_code(&account.role) else { return Ok(None) };
    if now + LIFE - session.expires_at > SLIDE {
        sessions::extend_session(&mut tx, &token_hash, now + LIFE).await?;
    }
    store::commit(tx).await?;
    Ok(Some(Who {
        account: AccountId::from_uuid(account.id),
        role,
        scope: account.scope,
        display_name: account.display_name,
        csrf_secret: session.csrf_secret,
        token_hash,
        token: token.to_owned(),
        address: String::new(),
    }))
}

/// `Set-Cookie` for a cookie of ours. `__Host-` makes the browser refuse it from elsewhere (RFC 6265bis
/// §4.1.3.2).
pub(crate) fn cookie(settings: &Settings, name: &str, value: &str, life: Duration) -> String {
    let (prefix, secure) = if settings.https { ("__Host-", "; Secure") } else { ("", "") };
    format!(
        "{prefix}{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        life.whole_seconds()
    )
}

/// The value of a cookie of ours.
pub(crate) fn cookie_value<'a>(headers: &'a HeaderMap, settings: &Settings, name: &str) -> Option<&'a str> {
    let prefix = if settings.https { "__Host-" } else { "" };
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| key.strip_prefix(prefix) == Some(name))
        .map(|(_, value)| value)
}

pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn who(secret: [u8; 32]) -> Who {
        Who {
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            role: Role::Officer,
            scope: UnitScope::everything(),
            display_name: String::new(),
            csrf_secret: secret,
            token_hash: [0; 32],
            token: String::new(),
            address: String::new(),
        }
    }

    #[test]
    fn a_form_token_is_masked_and_belongs_to_one_session() {
        let (mine, other) = (who([7; 32]), who([8; 32]));
        let (a, b) = (mine.form_token([1; 32]), mine.form_token([2; 32]));
        assert_ne!(a, b);
        assert!(mine.owns(&a) && mine.owns(&b) && !other.owns(&a));
        assert!(!mine.owns("") && !mine.owns(&"é".repeat(64)) && !mine.owns(&"0".repeat(128)));
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("xphien=1; __Host-phien=2; phien=3"));
        assert_eq!(cookie_value(&headers, &Settings::default(), "phien"), Some("3"));
        let https = Settings { https: true, ..Settings::default() };
        assert_eq!(cookie_value(&headers, &https, "phien"), Some("2"));
        assert!(cookie(&https, "phien", "x", LIFE).ends_with("; Secure"));
    }

    #[test]
    fn role_codes_lead_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
    }
}
