#!/bin/sh
# Compiles one of our programs, showing cargo's progress, and prints where it is: `build.sh dancu`.
# `./demo` and `./test` both come here, so that neither compiles again what the other has compiled: a library is
# compiled once for each set of features, and the set follows from everything that is asked for in one call. Naming
# the whole workspace and one test gives the sets of `cargo test --workspace`; xtask/tests/same_build.rs holds it.
set -eu
cd "$(dirname "$0")/.."
target=$(cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
program="$target/release/$1"
if [ "$1" = dancu ] && [ ! -x "$program" ]; then
    printf 'compiling some 430 libraries and programs: about ten minutes on two cores, the first time only\n' >&2
fi
cargo build --release --locked --workspace --bin "$1" --test same_build >&2
printf '%s\n' "$program"
