//! Which crate may use which: the layers, and what a crate must never reach, however many crates lie between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::{list, text};

/// Stages never use each other: they meet in rows.
const STAGES: &[&str] =
    &["collect", "register", "plan", "campaign", "enrol", "resolve", "issue", "deliver", "verify", "report"];

/// Layers from the bottom up. A crate may depend on crates of lower layers only, and on none of its own.
/// Rooms that are still to be built have their place already.
const LAYERS: [&[&str]; 9] = [
    &["domain"],
    &["linkage", "fingerprint", "card", "pki"],
    &["packet", "ui", "store", "hsm", "chip", "recordfile", "print"],
    STAGES,
    &["centre", "web", "kit"],
    &["simulate"],
    &["demo"],
    &["bench"],
    &["dancu"],
];

/// Crates that serve tests and automation only; nothing that ships may use them.
const UNSHIPPED: [&str; 4] = ["specimen", "testkit", "fuzzing", "xtask"];

/// The simulated campaign and the measurements: no office needs them.
const REHEARSAL: &[&str] = &["simulate", "demo", "bench"];

/// SQL is written in `store` and in the crate that makes test databases.
const MAY_USE_SQLX: [&str; 2] = ["store", "testkit"];

/// What crates must never reach, whatever their layer: the invariants of ARCHITECTURE.md that are about what
/// is absent.
struct Ban {
    crates: &'static [&'static str],
    never: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban { crates: &["domain", "linkage"], never: &["tokio", "sqlx"], why: "it does no I/O" },
    Ban {
        crates: &["fingerprint"],
        never: &["domain", "tokio", "sqlx"],
        why: "it sees minutiae and an opaque number, and does no I/O",
    },
    Ban {
        crates: &["card", "pki", "packet", "ui"],
        never: &["hsm", "store", "tokio", "sqlx"],
        why: "it holds no private key and stores nothing",
    },
    Ban {
        crates: &["chip", "print"],
        never: &["hsm", "store", "tokio", "sqlx"],
        why: "it holds none of the issuer's keys and stores nothing",
    },
    Ban { crates: &["recordfile"], never: &["store", "sqlx"], why: "it reads files, not the register" },
    Ban { crates: &["report"], never: &["hsm"], why: "it counts, and opens nothing" },
    Ban {
        crates: &["web"],
        never: &["hsm", "centre"],
        why: "whoever breaks into the pages must find no key",
    },
    Ban {
        crates: &["kit"],
        never: &["store", "sqlx", "centre"],
        why: "a stolen laptop must not lead into the central database",
    },
    Ban { crates: &["kit"], never: STAGES, why: "what it shares with the centre is in `packet`" },
    Ban { crates: STAGES, never: REHEARSAL, why: "an office runs without the simulated campaign" },
    Ban {
        crates: &["centre", "web", "kit"],
        never: REHEARSAL,
        why: "an office runs without the simulated campaign",
    },
];

/// Checks the manifests' own dependencies, optional ones included, against the layers.
pub(super) fn directions(metadata: &Value, faults: &mut Vec<String>) {
    for package in members(metadata) {
        let name = text(package, "name");
        if layer(name).is_none() && !UNSHIPPED.contains(&name) {
            faults.push(format!(
                "crate `{name}` stands in no layer; say where it belongs in xtask/src/tidy/walls.rs"
            ));
        }
        for dependency in list(package, "dependencies").iter().filter(|d| d["kind"].is_null()) {
            let used = text(dependency, "name");
            if used == "sqlx" && !MAY_USE_SQLX.contains(&name) {
                faults.push(format!("`{name}` uses sqlx: SQL belongs in `store`"));
            }
            if UNSHIPPED.contains(&name) {
                continue;
            }
            if UNSHIPPED.contains(&used) {
                faults.push(format!("`{name}` ships and depends on `{used}`, which does not"));
            }
            if let (Some(from), Some(to)) = (layer(name), layer(used))
                && to >= from
            {
                faults.push(format!(
                    "`{name}` may not depend on `{used}`: it stands in the same layer or above"
                ));
            }
        }
    }
}

/// Checks everything that is compiled into each crate against the bans. `metadata` has the resolved graph of
/// one choice of features.
pub(super) fn bans(metadata: &Value, faults: &mut BTreeSet<String>) {
    broken(BANS, &Graph::of(metadata), faults);
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// The packages of the workspace.
pub(super) fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    let ids: BTreeSet<&str> = list(metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    list(metadata, "packages").iter().filter(move |package| ids.contains(text(package, "id")))
}

fn broken(bans: &[Ban], graph: &Graph, faults: &mut BTreeSet<String>) {
    for ban in bans {
        for crate_ in ban.crates {
            for never in ban.never {
                if let Some(path) = graph.path(crate_, never) {
                    let path = path.join(" → ");
                    faults.insert(format!("`{crate_}` must never reach `{never}` ({path}): {}", ban.why));
                }
            }
        }
    }
}

/// What is compiled into what: normal dependencies, on any platform. Two versions of a library are two
/// packages of one name.
#[derive(Default)]
struct Graph {
    names: BTreeMap<String, String>,
    uses: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn of(metadata: &Value) -> Graph {
        let mut graph = Graph::default();
        for package in list(metadata, "packages") {
            graph.names.insert(text(package, "id").to_owned(), text(package, "name").to_owned());
        }
        for node in list(&metadata["resolve"], "nodes") {
            let is_normal = |used: &&Value| list(used, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
            let used = list(node, "deps").iter().filter(is_normal).map(|used| text(used, "pkg").to_owned());
            graph.uses.insert(text(node, "id").to_owned(), used.collect());
        }
        graph
    }

    /// The shortest way from one package to another, by their names, both ends included.
    fn path(&self, from: &str, to: &str) -> Option<Vec<&str>> {
        let named = |id: &str| self.names.get(id).map_or("", String::as_str);
        let mut before: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        let mut waiting: VecDeque<&str> = VecDeque::new();
        for id in self.names.keys().filter(|id| named(id) == from) {
            before.insert(id, None);
            waiting.push_back(id);
        }
        while let Some(id) = waiting.pop_front() {
            if named(id) == to && named(id) != from {
                let mut path = vec![named(id)];
                let mut at = id;
                while let Some(Some(earlier)) = before.get(at).copied() {
                    path.push(named(earlier));
                    at = earlier;
                }
                path.reverse();
                return Some(path);
            }
            for used in self.uses.get(id).into_iter().flatten() {
                if !before.contains_key(used.as_str()) {
                    before.insert(used, Some(id));
                    waiting.push_back(used);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A graph as `cargo metadata` writes it: packages with ids of their own, and edges of a kind.
    fn metadata(edges: &[(&str, &str, Option<&str>)]) -> Value {
        let names: BTreeSet<&str> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let id = |name: &str| format!("path+file:///house/{name}#0.1.0");
        let node = |name: &&str| {
            let used = edges.iter().filter(|(from, ..)| from == name);
            let deps = used.map(|(_, to, kind)| json!({ "pkg": id(to), "dep_kinds": [{ "kind": kind }] }));
            json!({ "id": id(name), "deps": deps.collect::<Vec<_>>() })
        };
        json!({
            "packages": names.iter().map(|name| json!({ "id": id(name), "name": name })).collect::<Vec<_>>(),
            "resolve": { "nodes": names.iter().map(node).collect::<Vec<_>>() },
        })
    }

    fn check(edges: &[(&str, &str, Option<&str>)], expect: &[&str]) {
        let mut faults = BTreeSet::new();
        bans(&metadata(edges), &mut faults);
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        assert_eq!(faults, expect);
    }

    #[test]
    fn a_forbidden_crate_is_found_behind_others_and_the_way_to_it_is_told() {
        check(
            &[
                ("kit", "packet", None),
                ("packet", "domain", None),
                ("kit", "outbox", None),
                ("outbox", "pool", None),
                ("pool", "sqlx", None),
                // A longer way to the same is not told.
                ("packet", "fast", None),
                ("fast", "faster", None),
                ("faster", "pool", None),
            ],
            &[
                "`kit` must never reach `sqlx` (kit → outbox → pool → sqlx): \
                 a stolen laptop must not lead into the central database",
                "`packet` must never reach `sqlx` (packet → fast → faster → pool → sqlx): \
                 it holds no private key and stores nothing",
            ],
        );
        check(
            &[("kit", "enrol", None)],
            &["`kit` must never reach `enrol` (kit → enrol): what it shares with the centre is in `packet`"],
        );
    }

    #[test]
    fn what_only_tests_and_build_scripts_use_is_not_compiled_in() {
        let edges = [
            ("kit", "enrol", Some("dev")),
            ("enrol", "store", None),
            ("store", "sqlx", None),
            ("kit", "generator", Some("build")),
            ("generator", "centre", None),
            ("kit", "packet", None),
        ];
        check(&edges, &[]);
    }

    #[test]
    fn circles_of_tests_end_and_the_binary_may_use_everything() {
        let edges =
            [("dancu", "demo", None), ("demo", "web", None), ("web", "store", None), ("store", "web", None)];
        check(&edges, &[]);
        check(
            &[("web", "verify", None), ("verify", "demo", None)],
            &[
                "`verify` must never reach `demo` (verify → demo): an office runs without the simulated \
                 campaign",
                "`web` must never reach `demo` (web → verify → demo): an office runs without the simulated \
                 campaign",
            ],
        );
    }

    #[test]
    fn every_crate_stands_in_one_layer() {
        let names: Vec<&str> =
            LAYERS.iter().flat_map(|layer| layer.iter().copied()).chain(UNSHIPPED).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn a_ban_names_crates_that_there_are() {
        let is_known = |name: &&str| layer(name).is_some() || ["tokio", "sqlx"].contains(name);
        for ban in BANS {
            assert!(ban.crates.iter().chain(ban.never).all(&is_known), "{}", ban.why);
        }
    }

    #[test]
    fn a_dependency_on_a_higher_layer_or_on_the_same_is_a_fault() {
        let package = |name: &str, used: &[&str]| {
            let used: Vec<_> = used.iter().map(|name| json!({ "name": name, "kind": null })).collect();
            json!({ "id": name, "name": name, "dependencies": used })
        };
        let metadata = json!({
            "workspace_members": ["store", "web", "packet", "attic"],
            "packages": [
                package("store", &["sqlx", "packet"]),
                package("web", &["store", "sqlx"]),
                package("packet", &["enrol", "domain", "testkit"]),
                package("attic", &[]),
                package("foreign", &["sqlx"]),
            ],
        });
        let mut faults = Vec::new();
        directions(&metadata, &mut faults);
        assert_eq!(
            faults,
            [
                "`store` may not depend on `packet`: it stands in the same layer or above",
                "`web` uses sqlx: SQL belongs in `store`",
                "`packet` may not depend on `enrol`: it stands in the same layer or above",
                "`packet` ships and depends on `testkit`, which does not",
                "crate `attic` stands in no layer; say where it belongs in xtask/src/tidy/walls.rs",
            ]
        );
    }
}
