//! Serves a small synthetic district, for looking at the pages: `cargo run -p web --example preview`.
//!
//! Prints the address and the accounts. The database is a scratch one and is dropped when the program ends.

#[path = "../tests/support/mod.rs"]
mod support;

use jpeg_encoder::{ColorType, Encoder};
use rand::SeedableRng;
use rand::rngs::StdRng;

use domain::unit::Units;

#[tokio::main]
async fn main() {
    let db = testkit::fresh_database().await;
    support::seed(&db, 24, true).await;
    let site = support::site(&db, Some(portrait()));
    let chip = support::chip::chip_with(&portrait());
    support::chip::trust(&db, &chip).await;
    support::chip::register(&db, &chip, "active").await;
    let data = tempfile::tempdir().expect("a scratch directory can be made");
    let district = support::DISTRICT.parse().expect("the district's code is a code");
    let mut rng = StdRng::seed_from_u64(1);
    let units = Units::latest();
    let accounts = web::accounts::create_demo(&db, units, district, data.path(), support::WALL, &mut rng)
        .await
        .expect("the accounts can be made");
    for account in &accounts {
        println!("{} {}", account.login, account.password);
    }
    let card = data.path().join("chip");
    std::fs::create_dir(&card).expect("a scratch directory can be written");
    for (name, bytes) in &chip.files {
        std::fs::write(card.join(name), bytes).expect("a scratch directory can be written");
    }
    println!("a card to check lies in {}; its print:\n{}\n{}", card.display(), chip.mrz, chip.qr);
    let port = std::env::args().nth(1).unwrap_or_else(|| "8081".to_owned());
    let listener =
        tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port is free");
    println!("http://127.0.0.1:{port}  {}", support::RECEIPT);
    let stop = async {
        // The program ends in either case.
        let _ = tokio::signal::ctrl_c().await;
    };
    let service = web::router(site.state).into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await.expect("the server runs");
}

/// A grey figure before a light ground, 240 × 320.
fn portrait() -> Vec<u8> {
    let (width, height) = (240i32, 320i32);
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let head = (x - 120).pow(2) * 10 + (y - 125).pow(2) * 7 < 52_000;
            let shoulders = y > 200 && (x - 120).pow(2) * 4 + (y - 330).pow(2) * 3 < 46_000;
            let colour = match (head, shoulders) {
                (true, _) => [201, 172, 150],
                (_, true) => [70, 92, 112],
                _ => [(226 - y / 16) as u8, (233 - y / 20) as u8, 238],
            };
            pixels.extend(colour);
        }
    }
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 82)
        .encode(&pixels, width as u16, height as u16, ColorType::Rgb)
        .expect("the picture has the size that is given");
    jpeg
}
