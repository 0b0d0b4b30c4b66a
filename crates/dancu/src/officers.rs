//! `dancu officer`: with which keys officers sign on kits, and their own fingers.

mod fingers;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::cli::{self, Operator};
use crate::output::{self, Form, Table};
use centre::{Installation, Place};
use domain::id::{AccountId, CredentialId};
use domain::unit::Units;
use enrol::kits::Came;
use enrol::officers::{self, MOST_DAYS, NewCredential};
use enrol::roster::{self, CredentialState};
use fingers::Given;
use packet::keys::PublicKey;
use store::UnitScope;
use store::accounts::Account;
use store::applications::officers::fingers as kept;
use ui::say;

/// A public key in PEM has some 180 bytes.
const MOST_KEY_BYTES: u64 = 4 * 1024;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Issue an officer's credential: the key that they made on a kit may sign there until its end. The first
    /// one takes the officer's ten fingers too, with which every application is compared. Run again it
    /// changes nothing.
    Issue {
        /// The officer's login.
        #[arg(long)]
        account: String,
        /// The kit's name.
        #[arg(long)]
        kit: String,
        /// The officer's public key: PEM; `-` is standard input.
        #[arg(long)]
        public_key: PathBuf,
        /// For how many days.
        #[arg(long, default_value_t = 126, value_parser = clap::value_parser!(i64).range(1..=MOST_DAYS))]
        days: i64,
        #[command(flatten)]
        given: Given,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Take an officer's ten fingers anew, or for the first time, whatever credentials they have. Those that
    /// were kept before are gone.
    Fingers {
        /// The officer's login.
        #[arg(long)]
        account: String,
        #[command(flatten)]
        given: Given,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// The credentials, each with its kit, its end, and how many fingers of the officer are kept.
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Propose that a credential be revoked. Packets that were signed with it and come from now on are set
    /// aside, see `dancu packet`; another account makes it final by `dancu officer confirm`.
    Revoke {
        /// The credential's id.
        credential: CredentialId,
        /// Why, for the audit trail.
        #[arg(long)]
        reason: String,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Revoke a credential, as another account proposed.
    Confirm {
        /// The credential's id.
        credential: CredentialId,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Withdraw what another account proposed. What was set aside because of it is opened.
    Keep {
        /// The credential's id.
        credential: CredentialId,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    let centre = Installation::open(place).await?;
    let (db, units, now) = (&centre.db, Units::latest(), centre.clock.now());
    match command {
        Command::Issue { account, kit, public_key, days, given, json, operator } => {
            let key = key(public_key)?;
            let officer = AccountId::from_uuid(self::account(&centre, account).await?.id);
            let new = NewCredential {
                account: officer,
                login: account.to_lowercase(),
                kit: kit.clone(),
                public_key: key,
                not_after: now + Duration::days(*days),
                fingers: given.sealed(&centre, officer).await?,
            };
            issue(&centre, &new, *json, operator).await
        }
        Command::Fingers { account, given, json, operator } => {
            fingers::take(&centre, account, given, *json, operator).await
        }
        Command::List { form } => list(&centre, *form).await,
        Command::Revoke { credential, reason, json, operator } => {
            let by = operator.actor(&centre).await?;
            let came = officers::revoke(db, units, *credential, reason, &by, now).await?;
            told(*credential, "proposed", "packets signed with it are set aside from now on", came, *json)
        }
        Command::Confirm { credential, json, operator } => {
            let by = operator.actor(&centre).await?;
            let came = officers::confirm(db, units, *credential, &by, now).await?;
            told(*credential, "revoked", "it signs no more", came, *json)
        }
        Command::Keep { credential, json, operator } => {
            let by = operator.actor(&centre).await?;
            let released = officers::keep(db, units, *credential, &by, now).await?;
            if *json {
                return output::print_json(&json!({ "credential": credential, "released": released }));
            }
            say!(
                "kept       {credential}; {released} packets that were set aside are opened by `dancu work`"
            );
            Ok(())
        }
    }
}

fn key(path: &std::path::Path) -> Result<PublicKey> {
    let pem = cli::text_of(path, MOST_KEY_BYTES)?;
    ensure!(
        !pem.contains("PRIVATE KEY"),
        "{} holds a private key, which stays on the kit; its public half belongs here",
        path.display()
    );
    PublicKey::from_pem(&pem).with_context(|| format!("{}: no public key in PEM", path.display()))
}

async fn account(centre: &Installation, login: &str) -> Result<Account> {
    let mut conn = centre.db.read().await?;
    let account = store::accounts::by_login(&mut conn, login).await?.with_context(|| {
        format!("there is no account {login}; `dancu account list` names those there are")
    })?;
    ensure!(account.disabled_at.is_none(), "the account {login} is disabled");
    Ok(account)
}

async fn issue(centre: &Installation, new: &NewCredential, json: bool, operator: &Operator) -> Result<()> {
    let (by, now) = (operator.actor(centre).await?, centre.clock.now());
    let (issued, came) = officers::issue(&centre.db, Units::latest(), new, &by, now).await?;
    let (id, until) = (issued.credential_id, text(issued.not_after)?);
    if json {
        let repeated = came == Came::Before;
        return output::print_json(&json!({ "credential": id, "until": until, "repeated": repeated }));
    }
    let word = if came == Came::Now { "issued" } else { "unchanged" };
    say!("{word:<10} {id} to {} on kit {}, until {until}", new.login, new.kit);
    Ok(())
}

fn told(credential: CredentialId, word: &str, what: &str, came: Came, json: bool) -> Result<()> {
    if json {
        let repeated = came == Came::Before;
        return output::print_json(&json!({ "credential": credential, "repeated": repeated }));
    }
    match came {
        Came::Now => say!("{word:<10} {credential}; {what}"),
        Came::Before => say!("unchanged  {credential} was revoked before, or that is proposed already"),
    }
    Ok(())
}

async fn list(centre: &Installation, form: Form) -> Result<()> {
    let everything = UnitScope::everything();
    let all = roster::credentials_in(&centre.db, Units::latest(), &everything, centre.clock.now()).await?;
    if all.is_empty() && !form.json {
        say!("none       issue one with `dancu officer issue`");
        return Ok(());
    }
    let mut conn = centre.db.read().await?;
    let fingers = kept::counts(&mut conn).await?;
    drop(conn);
    let columns = &["credential", "account", "kit", "state", "from", "until", "fingers", "reason"];
    let mut table = Table::new("credentials", columns);
    for line in all {
        let state = match line.state {
            CredentialState::Revoked => "revoked",
            CredentialState::ToBeRevoked => "to be revoked",
            CredentialState::Ended => "ended",
            CredentialState::Good => "good",
        };
        let one = line.credential;
        let reason = one.revoked_reason.or(one.proposed.map(|proposed| proposed.reason));
        table.push([
            one.credential_id.to_string().into(),
            one.login.into(),
            line.kit.into(),
            state.into(),
            text(one.not_before)?.into(),
            text(one.not_after)?.into(),
            fingers.get(&one.account_id).copied().into(),
            reason.into(),
        ]);
    }
    table.print(form)
}

fn text(at: OffsetDateTime) -> Result<String> {
    Ok(at.format(&Rfc3339)?)
}
