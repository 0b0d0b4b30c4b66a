//! The listener: takes a port and serves the pages on it until it is told to stop. How many connections there
//! may be is the [`crate::gate`]'s; why it is as it is: docs/decisions/0028-the-door.md.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::address;
use crate::failures;
use crate::gate::{Gate, Limits, Place};
use crate::paced::Paced;
use crate::routes;
use crate::state::AppState;
use crate::tls::{KnownKit, Tls, TlsError, TlsFiles, known_kit};

/// Heads of requests above it are refused; ours have a few hundred bytes, and a browser's cookies some more.
const HEAD_BYTES: usize = 16 * 1024;
/// What a connection may hold of what came and was not read yet.
const BUFFER_BYTES: usize = 64 * 1024;
/// File descriptors that are kept for files and the database.
const DESCRIPTORS_KEPT: usize = 256;
/// As many descriptors are asked of the system as it gives, up to this.
const DESCRIPTORS: u64 = 65_536;
/// How often what is due is done.
const TICK: Duration = Duration::from_secs(10);

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else listens there.
    #[error("port {port} is in use by another program: stop that program, or name another port with --port")]
    InUse {
        /// The port that was asked for.
        port: u16,
    },
    /// The system refuses the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate, its key or the kits' authority.
    #[error("TLS cannot be served")]
    Tls(#[from] TlsError),
    /// The system does not pass signals on, so that the program could not be told to stop.
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
}

/// How the pages are served: within which limits, and with TLS or in the clear.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    pub limits: Limits,
    /// The files that TLS is served with.
    pub tls: Option<TlsFiles>,
    /// Nobody but the named proxies is let in: for the clear on a network where others are.
    pub proxies_only: bool,
}

/// Takes the port on the loopback address; 0 takes any free one.
///
/// # Errors
/// [`ServeError::InUse`], [`ServeError::Listen`].
pub async fn listen(port: u16) -> Result<TcpListener, ServeError> {
    listen_on(SocketAddr::from(([127, 0, 0, 1], port))).await
}

/// Takes a port on an address of this machine.
///
/// # Errors
/// [`ServeError::InUse`], [`ServeError::Listen`].
pub async fn listen_on(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { port: address.port() },
        _ => ServeError::Listen { address, source },
    })
}

/// What connections are told about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    /// What is being answered is answered, and then the connection ends.
    Soon,
    Now,
}

/// A running listener.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    stop: watch::Sender<Stopping>,
    gate: Arc<Gate>,
    limits: Limits,
    state: AppState,
    task: JoinHandle<()>,
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    router: TowerToHyperService<Router>,
    http: http1::Builder,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    proxies_only: bool,
    stopping: watch::Receiver<Stopping>,
}

impl Server {
    /// Serves the pages on a listener in the clear.
    ///
    /// # Errors
    /// [`ServeError::Listen`] when the listener has no address.
    pub fn start(listener: TcpListener, state: AppState) -> Result<Server, ServeError> {
        Server::start_with(listener, state, Entrance::default())
    }

    /// Serves the pages on a listener.
    ///
    /// # Errors
    /// [`ServeError::Listen`] when the listener has no address; [`ServeError::Tls`].
    pub fn start_with(
        listener: TcpListener,
        state: AppState,
        entrance: Entrance,
    ) -> Result<Server, ServeError> {
        let Entrance { limits, tls, proxies_only } = entrance;
        let tls = tls.map(Tls::open).transpose()?.map(Arc::new);
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let address =
            listener.local_addr().map_err(|source| ServeError::Listen { address: unknown, source })?;
        let limits = Limits { connections: limits.connections.min(descriptors()), ..limits };
        let gate = Gate::new(&limits);
        let (stop, stopping) = watch::channel(Stopping::No);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(BUFFER_BYTES);
        let router = TowerToHyperService::new(routes::router(state.clone()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Shared { router, http, limits, tls, proxies_only, stopping };
        let task = tokio::spawn(accept(listener, Arc::clone(&gate), shared, state.clone()));
        Ok(Server { address, scheme, stop, gate, limits, state, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What paths of pages are added to, without a final slash.
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Ends at once; open connections, such as those of a demonstration's kits, are not waited for.
    pub fn stop(self) {
        self.stop.send_replace(Stopping::Now);
        self.task.abort();
    }

    /// Serves until Ctrl-C or SIGTERM. Then nobody new is let in, what is being answered is answered, and
    /// what was counted for the audit trail is written down.
    ///
    /// # Errors
    /// [`ServeError::Signals`].
    pub async fn until_stopped(self) -> Result<(), ServeError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        self.end().await;
        Ok(())
    }

    /// As after SIGTERM.
    pub async fn end(self) {
        self.task.abort();
        self.stop.send_replace(Stopping::Soon);
        // Whoever is not served by then is cut off.
        let _ = timeout(self.limits.grace, self.gate.emptied()).await;
        self.stop.send_replace(Stopping::Now);
        failures::write_all(&self.state).await;
    }
}

/// How many connections the system's file descriptors allow, after asking for as many as it gives.
fn descriptors() -> usize {
    let found = getrlimit(Resource::Nofile);
    let most = found.maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    let mut now = found.current.unwrap_or(u64::MAX);
    if now < most && setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..found }).is_ok() {
        now = most;
    }
    usize::try_from(now).unwrap_or(usize::MAX).saturating_sub(DESCRIPTORS_KEPT).max(16)
}

async fn accept(listener: TcpListener, gate: Arc<Gate>, shared: Shared, state: AppState) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = tick.tick() => {
                do_what_is_due(&gate, &shared, &state);
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most often: whoever only waits gives one back.
                tracing::warn!(%error, "a connection could not be taken");
                gate.make_room();
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let of_proxy = state.settings.is_proxy(peer.ip());
        if shared.proxies_only && !of_proxy {
            continue;
        }
        let Some(place) = gate.enter(&address::line(peer.ip()), of_proxy).await else { continue };
        tokio::spawn(serve(stream, peer, place, shared.clone()));
    }
}

/// Beside the connections, so that nobody waits for the database here.
fn do_what_is_due(gate: &Gate, shared: &Shared, state: &AppState) {
    match gate.turned_away() {
        0 => {}
        connections => tracing::warn!(connections, "connections made room or were turned away"),
    }
    if let Some(tls) = shared.tls.clone() {
        tokio::task::spawn_blocking(move || tls.refresh());
    }
    let state = state.clone();
    tokio::spawn(async move { failures::write_ended(&state).await });
}

async fn serve(stream: TcpStream, peer: SocketAddr, place: Place, shared: Shared) {
    // Answers are written whole.
    let _ = stream.set_nodelay(true);
    let Some(tls) = shared.tls.as_ref().map(|tls| tls.acceptor()) else {
        return converse(stream, Peer { address: peer, kit: None }, place, shared).await;
    };
    let mut stopping = shared.stopping.clone();
    let agreed = tokio::select! {
        agreed = timeout(shared.limits.head, tls.accept(stream)) => agreed,
        () = place.ended() => return,
        _ = stopping.changed() => return,
    };
    // An error is the other side's: too slow, no TLS, or a certificate of somebody else's authority.
    let Ok(Ok(stream)) = agreed else { return };
    let kit = known_kit(stream.get_ref().1.peer_certificates());
    converse(stream, Peer { address: peer, kit }, place, shared).await;
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
struct Peer {
    address: SocketAddr,
    kit: Option<KnownKit>,
}

/// Answers the requests of one connection, until either side ends it.
async fn converse<S>(stream: S, peer: Peer, place: Place, shared: Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Shared { router, http, limits, mut stopping, .. } = shared;
    let place = Arc::new(place);
    let answering = Arc::clone(&place);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer.address));
        if let Some(kit) = peer.kit {
            request.extensions_mut().insert(kit);
        }
        answering.serves();
        let (answer, place) = (router.call(request), Arc::clone(&answering));
        async move {
            let answer = answer.await;
            place.waits();
            answer
        }
    });
    let stream = TokioIo::new(Paced::new(stream, limits.stalled));
    let mut connection = pin!(http.serve_connection(stream, service));
    loop {
        tokio::select! {
            // An error is the other side's: cut off, too slow, or not HTTP.
            _ = connection.as_mut() => return,
            () = place.ended() => return,
            told = stopping.changed() => match (told, *stopping.borrow_and_update()) {
                (Ok(()), Stopping::No) => {}
                (Ok(()), Stopping::Soon) => connection.as_mut().graceful_shutdown(),
                (Ok(()), Stopping::Now) | (Err(_), _) => return,
            },
        }
    }
}
