//! The commands of a running installation: `serve`, `work`, `keyholder`, `migrate`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use centre::audit_heads::{self, AuditKey};
use centre::work::WhenIdle;
use centre::{Centre, Installation, Kits, Photos, Place, installation, keyholder, work};
use domain::clock::SystemClock;
use domain::unit::Units;
use domain::{Clock, UnitCode};
use enrol::desks::{KitDesk, PhotoSource};
use store::UnitScope;
use ui::{say, tell};
use web::{AppState, Entrance, Keyholder, Quota, Role, Server, Settings, TlsFiles};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServeOptions {
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The address to listen on. Another than this machine's own needs TLS, or a proxy that speaks it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Serve under TLS with this certificate and those above it, in PEM. The file is read again when it
    /// changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM, closed to others (chmod 640 or 600).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Ask kits for a certificate of this authority, in PEM, whose common name is the kit's id.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    kit_ca: Option<PathBuf>,
    /// The addresses of the proxies before this program, which speak TLS: what they say of whom they speak
    /// for (X-Forwarded-For) is believed, and of nobody else.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    behind_proxy: Vec<IpAddr>,
    /// Open no key: photos and the answers to kits come from the process that holds the keys, `dancu work` or
    /// `dancu keyholder`, over its socket. Without it, this process opens the keys itself.
    #[arg(long)]
    pages_only: bool,
    /// How many different people and applications an account of a role is shown in a day at most, such as
    /// `clerk=300`; again for each role. Without it 600, and 900 for officers.
    #[arg(long, value_name = "ROLE=PEOPLE", value_parser = quota)]
    quota: Vec<(Role, u32)>,
    #[command(flatten)]
    socket: SocketOptions,
}

fn quota(text: &str) -> Result<(Role, u32), String> {
    let (role, people) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form clerk=300"))?;
    let known = || Role::ALL.map(Role::code).join(", ");
    let role = Role::from_code(role).ok_or_else(|| format!("`{role}` is none of {}", known()))?;
    Ok((role, ui::terminal::count(people)?))
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SocketOptions {
    /// Where whoever holds the keys answers; `run/keyholder.sock` in the data directory when it is not given.
    #[arg(long, value_name = "PATH", env = "DANCU_SOCKET")]
    socket: Option<PathBuf>,
}

impl SocketOptions {
    fn path(&self, place: &Place) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| keyholder::socket_path(place))
    }
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkOptions {
    /// The districts for which cards are made, by code or name; without it packets are opened and resolved,
    /// and no cards are made.
    #[arg(long, value_parser = crate::cli::district)]
    district: Vec<UnitCode>,
    /// End when there is nothing left to do, instead of waiting for more.
    #[arg(long)]
    once: bool,
    /// The file to which the signed heads of the audit trail are added; `audit-heads.jsonl` in the data
    /// directory when it is not given. Keep copies of it where this machine's administrators cannot write.
    #[arg(long, value_name = "FILE", env = "DANCU_AUDIT_HEADS")]
    audit_heads: Option<PathBuf>,
    /// How often the heads are signed, in minutes.
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = ui::terminal::count)]
    audit_heads_every: u32,
    #[command(flatten)]
    socket: SocketOptions,
}

impl ServeOptions {
    /// Where to listen and how. What passes between machines in the clear can be read and changed by whoever
    /// stands between, so that it is refused before anything is opened.
    fn entrance(&self) -> Result<(SocketAddr, Entrance)> {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        let is_open = tls.is_none() && !self.listen.to_canonical().is_loopback();
        ensure!(
            !is_open || !self.behind_proxy.is_empty(),
            "{} is reached from other machines, and without TLS passwords and people's records can be read \
             on the way: give --tls-cert and --tls-key, or the address of a proxy that speaks TLS with \
             --behind-proxy",
            self.listen
        );
        let files = |(certificate, key)| TlsFiles { certificate, key, kit_ca: self.kit_ca.clone() };
        let entrance = Entrance { tls: tls.map(files), proxies_only: is_open, ..Entrance::default() };
        Ok((SocketAddr::new(self.listen, self.port), entrance))
    }
}

pub(crate) async fn serve(place: &Place, options: &ServeOptions) -> Result<()> {
    let (address, entrance) = options.entrance()?;
    let listener = web::listen_on(address).await?;
    let installation = Installation::open(place).await?;
    can_read_units(&installation).await?;
    let specimen = installation::has_invented_people(&installation.db).await?;
    let (photos, kits): (Arc<dyn PhotoSource>, Arc<dyn KitDesk>) = if options.pages_only {
        let holder = Keyholder::at(options.socket.path(place));
        (Arc::new(holder.clone()), Arc::new(holder))
    } else {
        let centre = Centre::of(installation.clone()).await?;
        (Arc::new(Photos(centre.clone())), Arc::new(Kits(centre)))
    };
    let quota = options.quota.iter().fold(Quota::default(), |all, &(role, people)| all.with(role, people));
    let state = AppState::of_installation(
        installation.db.clone(),
        Arc::clone(&installation.clock),
        photos,
        kits,
        Settings {
            https: entrance.tls.is_some() || !options.behind_proxy.is_empty(),
            proxies: options.behind_proxy.clone(),
            kits_show_certificates: options.kit_ca.is_some(),
            specimen,
            quota,
            ..Settings::default()
        },
    );
    let server = Server::start_with(listener, state, entrance)?;
    if specimen {
        demo::announce(&installation, &server.base_url()).await?;
    } else {
        say!("open       {}/", server.base_url());
    }
    let keeping = keep_database(&installation);
    let served = server.until_stopped().await;
    keeping.abort();
    served?;
    say!("stopping");
    Ok(())
}

pub(crate) async fn work(place: &Place, options: &WorkOptions) -> Result<()> {
    let centre = Centre::open(place).await?;
    let key = Arc::new(AuditKey::open(place).await?);
    let heads = options.audit_heads.clone().unwrap_or_else(|| audit_heads::default_path(place));
    tell!("dancu: {}", work_ahead(&options.district));
    if options.once {
        let worked = work::run(&centre, &options.district, WhenIdle::End).await;
        audit_heads::write(&centre.db, &key, &heads, SystemClock.now()).await?;
        return Ok(worked?);
    }
    can_read_units(&centre).await?;
    let every = Duration::from_secs(60 * u64::from(options.audit_heads_every.max(1)));
    let signing = tokio::spawn(audit_heads::keep_writing(centre.db.clone(), key, heads, every));
    let answering = match keyholder::Keyholder::bind(&options.socket.path(place)) {
        Ok(holder) => {
            let centre = centre.clone();
            tokio::spawn(async move { holder.answer(&centre).await })
        }
        Err(centre::Error::SocketTaken { path }) => {
            tracing::info!(socket = %path.display(), "another process answers the pages");
            tokio::spawn(async {})
        }
        Err(error) => return Err(error.into()),
    };
    let keeping = keep_database(&centre);
    let worked = work::run(&centre, &options.district, WhenIdle::Wait).await;
    keeping.abort();
    answering.abort();
    signing.abort();
    Ok(worked?)
}

/// Starts the embedded database server again when it dies, until the task is stopped.
pub(crate) fn keep_database(installation: &Installation) -> JoinHandle<()> {
    let db = installation.db.clone();
    tokio::spawn(async move { db.keep_running().await })
}

/// Whoever answers readers of a unit needs the login for it: that it is missing is told at the start, and not
/// to the first reader.
async fn can_read_units(installation: &Installation) -> Result<()> {
    installation.db.scoped(&UnitScope::everything()).await?;
    Ok(())
}

/// What a worker is going to do, for whoever has just started it and sees it read for a minute.
fn work_ahead(districts: &[UnitCode]) -> String {
    let units = Units::latest();
    let names: Vec<String> = districts.iter().filter_map(|code| units.full_name(*code)).collect();
    let cards = match names.as_slice() {
        [] => "no cards are made, since no --district is given".to_owned(),
        names => format!("cards are made for {}", names.join("; ")),
    };
    format!("the register and its fingers are read, then packets are opened and resolved; {cards}")
}

/// Holds the keys for processes that have none, and answers them until it is told to stop.
pub(crate) async fn hold_keys(place: &Place, options: &SocketOptions) -> Result<()> {
    let centre = Centre::open(place).await?;
    can_read_units(&centre).await?;
    let path = options.path(place);
    let holder = keyholder::Keyholder::bind(&path)?;
    say!("answers    on {}", path.display());
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = holder.answer(&centre) => {}
        () = centre.db.keep_running() => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    say!("stopping");
    Ok(())
}

pub(crate) async fn migrate(place: &Place) -> Result<()> {
    if !installation::is_there(place)? {
        making(place)?;
    }
    let installation = Installation::make(place).await?;
    say!("the schema is at version {}", installation.db.schema_version().await?);
    Ok(())
}

/// Says that a new installation is made, and where: whoever meant another directory sees it at once.
pub(crate) fn making(place: &Place) -> Result<()> {
    let data = std::path::absolute(&place.data)?;
    tell!("dancu: there is no installation in {}; a new one is made", data.display());
    Ok(())
}
