//! `dancu bench ingest`: sealed applications that kits hand over all at once, until each is receipted, opened
//! and durable; beside the same checks and the same write without a centre around them.

mod load;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::browser::Browser;
use crate::pipeline::fdatasync_p50_us;

use centre::{Centre, Installation, Kits, Place};
use domain::clock::SystemClock;
use domain::id::ApplicationId;
use domain::unit::Units;
use domain::{Actor, Clock};
use enrol::desks::{Answer, Asker, Photo, PhotoSource};
use enrol::intake::open_received;
use load::{Load, Upload};
use packet::message::{Outcome, Receipt};
use packet::wire;
use store::applications::packets::{NewPacket, insert_packets};
use store::applications::{NewApplication, create};
use ui::{say, terminal};
use web::{AppState, Entrance, Limits, Server, Settings};

/// Transactions of the limit at once, and verifying beside them: as many as the pool of a working process.
const STRAIGHT: usize = 16;
/// Packets that the opening takes in one step, as `dancu work` does.
const OPEN_AT_ONCE: u32 = 500;
/// How long a kit waits before it sends again what the centre had no room for.
const PAUSE: Duration = Duration::from_millis(500);

/// What `dancu bench ingest` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Kits that send at once.
    #[arg(long, default_value = "300", value_parser = terminal::count)]
    kits: u32,
    /// Applications of each kit.
    #[arg(long, default_value = "10", value_parser = terminal::count)]
    each: u32,
    /// Applications in one upload.
    #[arg(long, default_value = "5", value_parser = terminal::count)]
    batch: u32,
    #[arg(long, default_value_t = 2021)]
    seed: u64,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures the intake, and prints and writes the figures.
///
/// # Errors
/// When a packet is refused, the database cannot be made or the figures cannot be written.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    ensure!(options.kits > 0 && options.each > 0 && options.batch > 0, "there must be something to send");
    ensure!(
        place.database_url.is_none(),
        "the intake is measured on databases of its own: leave DATABASE_URL out"
    );
    fs::create_dir_all(&place.data)?;
    let folder = place.data.join("bench-ingest");
    ensure!(!folder.exists(), "{} exists from another run; remove it first", folder.display());
    let centre = installation(&folder, "centre").await?;
    let limit = installation(&folder, "limit").await?;
    let load = Load::make(&centre, options.kits, options.each, options.seed).await?;
    say!(
        "ingest     {} sealed applications of {} bytes in the mean, of {} kits",
        load.packets().count(),
        load.mean_bytes(),
        options.kits
    );
    let outcome = measure(&centre, &limit, &load, options).await;
    centre.db.stop().await?;
    limit.db.stop().await?;
    let report = outcome?;
    say!(
        "ingest     {} a second receipted, opened and durable; limit {}; ratio {}",
        report["per_second"],
        report["limit_per_second"],
        report["ratio"]
    );
    say!(
        "ingest     an upload took {} ms in the median, {} ms at the 99th percentile",
        report["p50_ms"],
        report["p99_ms"]
    );
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))
}

async fn installation(folder: &std::path::Path, name: &str) -> Result<Centre> {
    let place = Place { data: folder.join(name), database_url: None };
    let installation = Installation::make(&place).await?;
    let keys = centre::key_folder(&place);
    tokio::task::spawn_blocking(move || centre::make_keys(&keys).map(drop)).await??;
    Ok(Centre::of(installation).await?)
}

/// The limit before and after, on half of the packets each: the machine is not the same all the time.
async fn measure(centre: &Centre, limit: &Centre, load: &Load, options: &Options) -> Result<Value> {
    let synced = fdatasync_p50_us(&centre.place.data)?;
    let uploads: Vec<Upload> = load.by_kit(options.batch as usize).into_iter().flatten().collect();
    let (first, second) = uploads.split_at(uploads.len() / 2);
    let before = straight(limit, centre, load, first).await?;
    let Taken { seconds, receipted, mut uploads, tries } = hand_over(centre, load, options).await?;
    let after = straight(limit, centre, load, second).await?;
    let count = load.packets().count();
    let limit_per_second = count as f64 / (before + after).as_secs_f64();
    let per_second = count as f64 / seconds.as_secs_f64();
    uploads.sort_unstable();
    let at =
        |share: f64| uploads[((uploads.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1_000.0;
    let tenths = |number: f64| (number * 10.0).round() / 10.0;
    Ok(json!({
        "benchmark": "ingest", "kits": options.kits, "packets": count, "batch": options.batch,
        "bytes": load.mean_bytes(),
        "per_second": tenths(per_second),
        "limit_per_second": tenths(limit_per_second),
        "ratio": (per_second / limit_per_second * 100.0).round() / 100.0,
        "receipted_per_second": tenths(count as f64 / receipted.as_secs_f64()),
        "p50_ms": tenths(at(0.5)), "p99_ms": tenths(at(0.99)),
        "sent_again": tries - uploads.len(),
        "limit_halves_s": [tenths(before.as_secs_f64()), tenths(after.as_secs_f64())],
        "fdatasync_p50_us": synced,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
    }))
}

/// Verifies, decrypts and writes packets in transactions of one upload's size, with nothing else around.
async fn straight(limit: &Centre, centre: &Centre, load: &Load, uploads: &[Upload]) -> Result<Duration> {
    applications(limit, uploads).await?;
    let begun = Instant::now();
    let (mut tasks, mut next) = (JoinSet::new(), 0);
    while next < uploads.len() || !tasks.is_empty() {
        while next < uploads.len() && tasks.len() < STRAIGHT {
            let (upload, keys, db) = (uploads[next].clone(), Arc::clone(&centre.keys), limit.db.clone());
            let key = load.key(&upload).clone();
            tasks.spawn(async move {
                let opened = tokio::task::spawn_blocking(move || {
                    let rows: Result<Vec<_>> = upload
                        .packets
                        .iter()
                        .map(|sealed| load::verify_and_open(sealed, &key, &keys))
                        .collect();
                    rows.map(|rows| (rows, upload))
                });
                let (rows, upload) = opened.await??;
                let rows: Vec<NewPacket<'_>> =
                    rows.iter().zip(&upload.packets).map(|(row, sealed)| row.packet(sealed)).collect();
                let mut tx = db.begin().await?;
                insert_packets(&mut tx, SystemClock.now(), &rows).await?;
                store::commit(tx).await?;
                anyhow::Ok(())
            });
            next += 1;
        }
        tasks.join_next().await.context("a task")???;
    }
    Ok(begun.elapsed())
}

/// Makes the applications of the packets, beside which a packet is written; it is not measured.
async fn applications(limit: &Centre, uploads: &[Upload]) -> Result<()> {
    let now = SystemClock.now();
    for upload in uploads {
        let mut rows = Vec::with_capacity(upload.packets.len());
        for sealed in &upload.packets {
            let packet = packet::parse(sealed)?;
            let envelope = packet.claimed();
            rows.push(NewApplication {
                application_id: envelope.application_id,
                kit_id: envelope.kit_id,
                kind: envelope.carries.kind().context("an application")?,
                unit: envelope.unit,
                unit_path: Units::latest().path(envelope.unit).unwrap_or_default(),
                captured_at: envelope.captured_at,
                kit_clock_at: None,
                actor: Actor::Kit(envelope.kit_id),
            });
        }
        let mut tx = limit.db.begin().await?;
        create(&mut tx, now, &rows).await?;
        store::commit(tx).await?;
    }
    Ok(())
}

/// What the centre did with all of it.
struct Taken {
    /// Until the last was opened.
    seconds: Duration,
    /// Until the last was receipted.
    receipted: Duration,
    /// Of each upload, from its first byte to its receipt.
    uploads: Vec<Duration>,
    tries: usize,
}

/// Every kit sends as soon as it can, while the centre's worker opens what has come.
async fn hand_over(centre: &Centre, load: &Load, options: &Options) -> Result<Taken> {
    let db = &centre.db;
    let settings = Settings { proxies: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ..Settings::default() };
    let kits = Arc::new(Kits(centre.clone()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = AppState::of_installation(db.clone(), clock, Arc::new(Without), kits, settings);
    let limits = Limits { connections: 16_384, from_one: 16_384, ..Limits::default() };
    let server =
        Server::start_with(web::listen(0).await?, state, Entrance { limits, ..Entrance::default() })?;
    let (begun, sent) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for (number, uploads) in load.by_kit(options.batch as usize).into_iter().enumerate() {
        let (address, sent, receipts) = (server.address(), Arc::clone(&sent), centre.receipt_public.clone());
        tasks.spawn(async move {
            // Each kit's line has an address of its own, as behind a proxy.
            let from = Ipv4Addr::from(0x0A00_0000 + u32::try_from(number).unwrap_or(0) + 1);
            let mut line = Browser::new(address);
            let (mut took, mut tries) = (Vec::new(), 0);
            for upload in uploads {
                let begun = Instant::now();
                let body = wire::encode_batch(upload.packets.iter().map(|sealed| sealed.as_slice()));
                let answer = loop {
                    tries += 1;
                    match line.deliver(wire::PACKETS_PATH, wire::BATCH_TYPE, &body, from.into()).await? {
                        (200, answer) => break answer,
                        (429 | 503, _) => tokio::time::sleep(PAUSE).await,
                        (status, _) => anyhow::bail!("the centre answered {status}"),
                    }
                };
                took.push(begun.elapsed());
                let receipt = Receipt::verify(&answer, &receipts)?;
                for item in &receipt.items {
                    let outcome = item.outcome;
                    ensure!(outcome == Outcome::Accepted, "a packet was refused: {}", outcome.code());
                }
                ensure!(receipt.items.len() == upload.packets.len(), "a receipt of another upload");
                sent.fetch_add(upload.packets.len(), Ordering::SeqCst);
            }
            Ok((took, tries))
        });
    }
    let opening = open_all(centre, &sent, load.packets().count());
    let sending = async {
        let (mut uploads, mut tries) = (Vec::new(), 0);
        while let Some(one) = tasks.join_next().await {
            let (took, tried) = one??;
            uploads.extend(took);
            tries += tried;
        }
        anyhow::Ok((uploads, tries, begun.elapsed()))
    };
    let ((uploads, tries, receipted), ()) = tokio::try_join!(sending, opening)?;
    let seconds = begun.elapsed();
    server.stop();
    Ok(Taken { seconds, receipted, uploads, tries })
}

/// What the worker does meanwhile, until everything is opened.
async fn open_all(centre: &Centre, sent: &AtomicUsize, all: usize) -> Result<()> {
    let mut opened = 0;
    while opened < all {
        let summary =
            open_received(&centre.db, Arc::clone(&centre.keys), SystemClock.now(), OPEN_AT_ONCE).await?;
        let wrong = summary.rejected + summary.failed + summary.quarantined + summary.waiting_for_key;
        ensure!(wrong == 0, "{wrong} packets could not be opened: {summary:?}");
        opened += summary.opened;
        if summary.opened == 0 && sent.load(Ordering::SeqCst) == opened {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Nobody looks at photos meanwhile.
struct Without;

impl PhotoSource for Without {
    fn photo<'a>(&'a self, _: Asker<'a>, _: ApplicationId) -> Answer<'a, Photo> {
        Box::pin(std::future::ready(Photo::NotShown))
    }
}
