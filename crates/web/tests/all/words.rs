//! Every text that the pages ask for exists.

use std::path::Path;

use resolve::CaseKind;
use resolve::cases::{ActKind, Obstacle, Refusal};
use resolve::shift::Seat;
use ui::i18n::{Lang, keys_in};

fn search(dir: &Path, seen: &mut usize) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, seen);
            continue;
        }
        for key in keys_in(&std::fs::read_to_string(&path).unwrap()) {
            assert!(Lang::Vi.find(key).is_some(), "{key} in {}", path.display());
            *seen += 1;
        }
    }
}

#[test]
fn every_key_that_is_used_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    search(&root.join("src"), &mut seen);
    search(&root.join("templates"), &mut seen);
    assert!(seen > 100, "only {seen} keys were found: the search is broken");
}

#[test]
fn whatever_is_done_about_a_case_or_refused_has_words() {
    let acts = ActKind::ALL.map(|kind| kind.code());
    let mut keys: Vec<String> = ["act", "action", "message"]
        .iter()
        .flat_map(|of| acts.map(|act| format!("case.{of}.{act}")))
        .collect();
    keys.extend(Obstacle::ALL.map(|obstacle| format!("case.obstacle.{}", obstacle.code())));
    let refusals = [
        Refusal::Changed,
        Refusal::OwnProposal,
        Refusal::NeedsThird,
        Refusal::NotTheProposer,
        Refusal::AlreadyProposed,
        Refusal::NothingProposed,
        Refusal::AlreadyClosed,
        Refusal::NotClosed,
        Refusal::NoReason,
        Refusal::NoPaper,
    ];
    keys.extend(refusals.map(|refusal| format!("case.refusal.{}", refusal.code())));
    keys.extend(CaseKind::ALL.iter().flat_map(|kind| ["kind", "why"].map(|of| format!("case.{of}.{kind}"))));
    keys.extend(packet::MissingReason::ALL.map(|reason| format!("absent.{}", reason.code())));
    let seats = [Seat::Invited, Seat::WalkIn, Seat::Unplanned];
    keys.extend(seats.map(|seat| format!("seat.{}", seat.code())));
    keys.extend((1..=10).map(|position| format!("finger.{position}")));
    for key in keys {
        assert!(Lang::Vi.find(&key).is_some() && Lang::En.find(&key).is_some(), "{key}");
    }
}

#[test]
fn every_kind_of_event_and_paper_and_every_fault_has_words() {
    let mut keys: Vec<String> = register::Fault::CODES.map(|code| format!("event.fault.{code}")).into();
    for kind in register::EventKind::ALL {
        let of = ["event.kind", "event.about", "event.will", "trail.action.register"];
        keys.extend(of.map(|of| format!("{of}.{}", kind.code())));
    }
    keys.extend(register::paper::PaperKind::ALL.map(|kind| format!("paper.kind.{}", kind.code())));
    keys.extend(domain::person::Kind::ALL.map(|kind| format!("event.{}", kind.code())));
    keys.extend(domain::field::Part::ALL.map(|part| format!("event.part.{}", part.code())));
    for key in keys {
        assert!(Lang::Vi.find(&key).is_some() && Lang::En.find(&key).is_some(), "{key}");
    }
}
