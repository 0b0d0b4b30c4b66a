//! The HTTP listener: takes a port of this machine and serves the pages on it until it is told to stop.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::routes;
use crate::state::AppState;

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
    /// The system does not pass signals on, so that the program could not be told to stop.
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
}

/// Takes the port on the loopback address; 0 takes any free one.
///
/// # Errors
/// [`ServeError::InUse`], [`ServeError::Listen`].
pub async fn listen(port: u16) -> Result<TcpListener, ServeError> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { port },
        _ => ServeError::Listen { address, source },
    })
}

/// A running listener.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Serves the pages on a listener.
    ///
    /// # Errors
    /// [`ServeError::Listen`] when the listener has no address.
    pub fn start(listener: TcpListener, state: AppState) -> Result<Server, ServeError> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let address =
            listener.local_addr().map_err(|source| ServeError::Listen { address: unknown, source })?;
        let (stop, stopped) = oneshot::channel();
        let app = routes::router(state).into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, app)
                .with_graceful_shutdown(async {
                    // A dropped sender ends the service as well as a word does.
                    let _ = stopped.await;
                })
                .await
        });
        Ok(Server { address, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What paths of pages are added to, without a final slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends at once; open connections, such as those of a demonstration's kits, are not waited for.
    pub fn stop(self) {
        // An error says that the task has ended already.
        let _ = self.stop.send(());
        self.task.abort();
    }

    /// Serves until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    /// [`ServeError::Signals`].
    pub async fn until_stopped(self) -> Result<(), ServeError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        self.stop();
        Ok(())
    }
}
