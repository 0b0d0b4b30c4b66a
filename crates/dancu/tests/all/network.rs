//! Whoever sits on a line to the centre: the row "the network" of the list of attacks. The program is served
//! under TLS as an operator would, and a kit's own transport and a browser's client speak to it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::keyholder::Running;
use crate::support::{Data, ended, succeeded};
use domain::id::KitId;
use kit::{TlsFiles, Transport, TransportError};
use packet::message::DayReport;
use testkit::certificates::{Authority, Leaf};

const KIT: &str = "01890000-0000-7000-8000-000000000001";
const OTHER: &str = "01890000-0000-7000-8000-000000000002";

#[test]
fn the_network_is_not_spoken_to_in_the_clear() {
    let data = Data::new("network-clear");
    for address in ["0.0.0.0", "192.0.2.1", "::"] {
        ended(&data.run(&["serve", "--port", "0", "--listen", address]), 3, "without TLS");
    }
    let url = "postgres://dancu:secret@192.0.2.1/dancu?sslmode=require";
    let said = data.run(&["check", "--database-url", url]);
    ended(&said, 3, "sslmode=verify-full");
    assert!(!String::from_utf8_lossy(&said.stderr).contains("secret"));
}

/// An installation that is served under TLS, with an authority for kits.
struct Centre {
    data: Data,
    authority: Authority,
    kits: Authority,
    served: Leaf,
}

impl Centre {
    fn new(name: &str) -> Centre {
        let data = Data::new(name);
        succeeded(&data.run(&["migrate"]));
        succeeded(&data.run(&["keys", "init"]));
        let authority = Authority::new(&data.0.join("authority"));
        let kits = Authority::new(&data.0.join("kit-authority"));
        let served = authority.server("centre", "DNS:localhost,IP:127.0.0.1");
        Centre { data, authority, kits, served }
    }

    fn serve(&self) -> Running {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (certificate, key) = (text(&self.served.certificate), text(&self.served.key));
        let kit_ca = text(&self.kits.certificate);
        let args =
            ["serve", "--port", "0", "--tls-cert", &certificate, "--tls-key", &key, "--kit-ca", &kit_ca];
        Running::until(&self.data, &args, "open")
    }

    fn kit(&self, base: &str, authority: &Authority, leaf: &Leaf) -> Transport {
        let files = TlsFiles {
            centre_ca: authority.certificate.clone(),
            certificate: leaf.certificate.clone(),
            key: leaf.key.clone(),
        };
        Transport::with_tls(base, &files).unwrap().with_delays(Vec::new())
    }
}

fn base(serving: &Running) -> String {
    serving.words("open")[1].trim_end_matches('/').to_owned()
}

fn browser(authority: &Authority) -> Agent {
    let pem = fs::read(&authority.certificate).unwrap();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        // Each question is a connection of its own, with the certificate of its time.
        .max_idle_connections(0)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

fn report(kit: &str) -> Vec<u8> {
    let kit_id: KitId = kit.parse().unwrap();
    let report = DayReport {
        kit_id,
        day: time::macros::date!(2021 - 04 - 06),
        reported_at: time::macros::datetime!(2021-04-06 12:00 UTC),
        unsent: 0,
        captured_total: 0,
        captures: Vec::new(),
    };
    let signer = hsm::SoftwareSigner::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(1));
    report.sign(&signer).unwrap()
}

fn rejected(answer: Result<Vec<u8>, TransportError>) -> u16 {
    match answer {
        Err(TransportError::Rejected(status)) => status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_network_reads_no_page_and_plays_no_kit() {
    let centre = Centre::new("network");
    let serving = centre.serve();
    let base = base(&serving);
    assert!(base.starts_with("https://127.0.0.1:"), "{base}");
    // Who speaks in the clear gets nothing that is HTTP.
    let mut clear = TcpStream::connect(base.trim_start_matches("https://")).unwrap();
    clear.write_all(b"GET /vao HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    // A browser that trusts the authority, and one that trusts another.
    let page = browser(&centre.authority).get(format!("{base}/vao")).call().unwrap();
    assert_eq!(page.status().as_u16(), 200);
    assert!(page.headers().contains_key("strict-transport-security"));
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(browser(&centre.kits).get(format!("{base}/vao")).call().is_err());

    // A kit with its certificate reaches the desk, which does not know it; without one, with another kit's,
    // or with one that another authority gave, nobody does.
    let mine = centre.kits.client("mine", KIT);
    let kit = centre.kit(&base, &centre.authority, &mine);
    assert_eq!(rejected(kit.send_day_report(&report(KIT))), 400, "judged by the desk");
    assert_eq!(rejected(kit.send_packets(b"rubbish")), 400, "judged by the desk");
    assert_eq!(rejected(kit.send_day_report(&report(OTHER))), 403, "another kit's report");
    let nobody = centre.kits.client("nobody", "not a kit");
    assert_eq!(rejected(centre.kit(&base, &centre.authority, &nobody).send_packets(b"rubbish")), 403);
    let forged = centre.authority.client("forged", KIT);
    let answer = centre.kit(&base, &centre.authority, &forged).send_packets(b"rubbish");
    assert!(matches!(answer, Err(TransportError::Unreachable(_))), "{answer:?}");
    let bare = browser(&centre.authority).post(format!("{base}/kit/v1/packets")).send(&b"rubbish"[..]);
    assert_eq!(bare.unwrap().status().as_u16(), 403);
    // A centre that another authority speaks for gets nothing from a kit.
    let answer = centre.kit(&base, &centre.kits, &mine).send_packets(b"rubbish");
    assert!(matches!(answer, Err(TransportError::Unreachable(_))), "{answer:?}");

    renewed(&centre, &base);
}

/// The certificate is renewed while the program runs; what is no certificate changes nothing.
fn renewed(centre: &Centre, base: &str) {
    let is_served = |authority: &Authority| browser(authority).get(format!("{base}/healthz")).call().is_ok();
    let other = Authority::new(&centre.data.0.join("next-authority"));
    let next = other.server("centre", "DNS:localhost,IP:127.0.0.1");
    fs::copy(&next.key, &centre.served.key).unwrap();
    fs::copy(&next.certificate, &centre.served.certificate).unwrap();
    let begin = Instant::now();
    while !is_served(&other) {
        assert!(begin.elapsed() < Duration::from_secs(120), "the new certificate is served");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!is_served(&centre.authority), "and the old one is not");
    fs::write(&centre.served.certificate, "rubbish").unwrap();
    std::thread::sleep(Duration::from_secs(12));
    assert!(is_served(&other), "what cannot be served leaves the one before");
}
