//! What comparing every application with officers' fingers costs, and how surely one finger among nine of the
//! citizen's is found.
//!
//! `cargo run --release -p resolve --example officers -- [applications] [seed]`

use domain::id::{AccountId, CredentialId, KitId};
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{Prepared, Template};
use resolve::officers::Officers;
use store::applications::kits::{Kit, Standing};
use store::applications::officers::Credential;
use store::applications::officers::fingers::Hands;
use time::OffsetDateTime;

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a whole number"));
    let applications = arguments.next().unwrap_or(200);
    let seed = arguments.next().unwrap_or(1) << 40;
    for (near, elsewhere) in [(1, 0), (30, 0), (30, 270)] {
        measure(applications, seed, near, elsewhere);
    }
}

/// The officer of this number, whose fingers come after those of all citizens.
fn account(number: u64) -> AccountId {
    AccountId::derive(AT, &[&number.to_be_bytes()])
}

fn kit(unit: &str) -> Kit {
    Kit {
        kit_id: KitId::derive(AT, &[unit.as_bytes()]),
        name: unit.to_owned(),
        unit: unit.parse().expect("a district"),
        public_key: Vec::new(),
        registered_at: AT,
        revoked_at: None,
        heard_at: None,
        standing: Standing::default(),
    }
}

fn fingers(seed: u64, person: u64, occasion: u64) -> Vec<Template> {
    let masters = person_masters(seed + person);
    masters.iter().map(|master| master.impression(seed ^ (occasion << 20), Condition::Station)).collect()
}

/// CPU time of this thread: others may use the machine too.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn measure(applications: u64, seed: u64, near: u64, elsewhere: u64) {
    const OFFICERS: u64 = 1 << 30;
    let [here, there] = [kit("445"), kit("540")];
    let all = near + elsewhere;
    let credential = |number: u64| Credential {
        credential_id: CredentialId::derive(AT, &[&number.to_be_bytes()]),
        account_id: account(number),
        login: String::new(),
        kit_id: if number < near { here.kit_id } else { there.kit_id },
        public_key: Vec::new(),
        not_before: AT,
        not_after: AT,
        issued_by: String::new(),
        revoked_at: None,
        revoked_reason: None,
        proposed: None,
    };
    let credentials: Vec<Credential> = (0..all).map(credential).collect();
    let taken = (0..all).map(|number| (account(number), fingers(seed, OFFICERS + number, 1))).collect();
    let start = cpu_seconds();
    let officers = Officers::new(String::new(), taken, &[here.clone(), there.clone()], &credentials);
    let ready_ms = (cpu_seconds() - start) * 1_000.0;
    let hands = Hands { kit: here.kit_id, signers: vec![account(0)] };
    // Whose thumb is among nine of the citizen's: nobody's, the signer's, a colleague's, one's elsewhere.
    let whose = [None, Some(0), Some(1).filter(|_| near > 1), Some(near).filter(|_| elsewhere > 0)];
    println!("{near} officers of the district and {elsewhere} elsewhere; made ready in {ready_ms:.0} ms");
    for (name, whose) in ["nobody", "who signed", "a colleague", "elsewhere"].into_iter().zip(whose) {
        if name != "nobody" && whose.is_none() {
            continue;
        }
        let (mut found, mut wrong, mut spent) = (0, 0, 0.0);
        for number in 0..applications {
            let mut templates = fingers(seed, number, 1);
            if let Some(officer) = whose {
                templates[0] = fingers(seed, OFFICERS + officer, 2 + number).swap_remove(0);
            }
            let prepared: Vec<Prepared> = templates.iter().map(Prepared::new).collect();
            let start = cpu_seconds();
            let hits = officers.look(&templates, &prepared, &hands);
            spent += cpu_seconds() - start;
            let theirs = whose.map(account);
            found += usize::from(hits.iter().any(|hit| Some(hit.account) == theirs));
            wrong += usize::from(hits.iter().any(|hit| Some(hit.account) != theirs));
        }
        let ms = spent * 1_000.0 / applications as f64;
        println!("  thumb of {name}: found {found} of {applications}, others {wrong}; {ms:.2} ms each");
    }
}
