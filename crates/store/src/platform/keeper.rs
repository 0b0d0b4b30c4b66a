//! Starts the embedded server again when it dies under a process that lives on it: on one small server nobody
//! else would, and a night's work waits for whoever comes in the morning.

use std::time::Duration;

use super::cluster::Cluster;
use super::db::{Database, blocking};
use crate::Error;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to start a server that does not come.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Database {
    /// Starts the embedded server again whenever it dies, for as long as this is polled. A server that was
    /// stopped in order stays stopped, and one at an address is its operators'.
    pub async fn keep_running(&self) {
        let Some(cluster) = self.cluster().cloned() else { return std::future::pending().await };
        let (mut pause, mut was_dead) = (LOOK, false);
        loop {
            tokio::time::sleep(pause).await;
            let looked = cluster.clone();
            // Twice, because a server that is being stopped in order looks dead for a moment, before its file
            // is removed.
            let is_dead = blocking(move || Ok(looked.has_died())).await.unwrap_or(false);
            if !(is_dead && was_dead) && pause == LOOK {
                was_dead = is_dead;
                continue;
            }
            match self.start_again(cluster.clone()).await {
                Ok(()) => (pause, was_dead) = (LOOK, false),
                Err(error) => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    let next_s = pause.as_secs();
                    tracing::error!(%error, next_s, "the database server died and does not start");
                }
            }
        }
    }

    async fn start_again(&self, cluster: Cluster) -> Result<(), Error> {
        let started = blocking(move || cluster.start_again()).await?;
        if let Some(cluster) = started {
            tracing::warn!("the database server had died and is started again");
            blocking(move || cluster.wake()).await?;
        }
        Ok(())
    }
}
