//! The HTTP listener: pages and the kits' desk.

use crate::centre::Centre;
use crate::desks::{Cases, Kits, Photos};
use anyhow::{Context, Result};
use domain::Clock;
use domain::UnitCode;
use domain::clock::SystemClock;
use domain::unit::UnitTable;
use rand::rngs::StdRng;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use web::{AppState, Parts, Settings};

/// A running listener.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// Takes the port on the loopback address; 0 takes any free one.
pub async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {port} is in use by another program: stop that program, or name another port with --port")
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// Serves the pages. `specimen` marks drawn cards as made for people who do not exist.
pub async fn start(listener: TcpListener, centre: &Centre, specimen: bool) -> Result<Server> {
    let address = listener.local_addr()?;
    let entropy: StdRng = rand::make_rng();
    let state = AppState::new(Parts {
        db: centre.db.clone(),
        clock: Arc::new(SystemClock),
        campaign: Arc::clone(&centre.clock),
        units: UnitTable::official_2021(),
        photos: Arc::new(Photos(centre.clone())),
        cases: Arc::new(Cases(centre.clone())),
        kits: Arc::new(Kits(centre.clone())),
        settings: Settings { specimen, ..Settings::default() },
        entropy: Arc::new(Mutex::new(entropy)),
    });
    let (stop, stopped) = oneshot::channel();
    let app = web::router(state).into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        axum::serve(listener, app)
            .with_graceful_shutdown(async {
                let _ = stopped.await;
            })
            .await
    });
    Ok(Server { address, stop, task })
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends at once; open connections of a demo's kits are not waited for.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        self.task.abort();
        Ok(())
    }

    /// Serves until Ctrl-C or SIGTERM.
    pub async fn until_stopped(self) -> Result<()> {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        println!("stopping");
        self.stop().await
    }
}

/// Makes the demonstration's accounts and prints where to go.
pub async fn announce(centre: &Centre, district: UnitCode, address: SocketAddr) -> Result<()> {
    let mut rng: StdRng = rand::make_rng();
    let units = UnitTable::official_2021();
    let now = SystemClock.now();
    let accounts = web::accounts::create_demo(&centre.db, units, district, &centre.place.data, now, &mut rng)
        .await
        .context("the demonstration's accounts")?;
    println!();
    println!("open       http://{address}/");
    for account in accounts {
        println!(
            "sign in    {:<11} {:<13} {} ({})",
            account.login,
            account.password,
            account.role.code(),
            account.unit
        );
    }
    crate::demo::receipts::print(&centre.place.data);
    println!("stop       Ctrl-C");
    Ok(())
}
