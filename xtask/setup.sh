#!/bin/sh
# Installs what cannot come from Cargo. `setup.sh run` covers the program; `setup.sh test` adds what only tests need.
# Written in shell because it must run before anything can be compiled: a machine with only Rust has no linker.
set -eu

say() { printf 'set-up: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
have_postgres() {
    [ -n "${DATABASE_URL:-}" ] || [ -n "${PG_BIN:-}" ] || have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
        ls /usr/pgsql-*/bin/initdb >/dev/null 2>&1 || ls /opt/homebrew/opt/postgresql@*/bin/initdb >/dev/null 2>&1
}

packages=""
need() { packages="$packages $1"; }

have cc || { need gcc; need libc6-dev; }
have_postgres || need postgresql
# Card readers: the program is linked with the system's PC/SC library.
[ -e /usr/include/PCSC/winscard.h ] || need libpcsclite-dev
have pkg-config || need pkg-config
if [ "${1:-run}" = test ]; then
    have openssl || need openssl
    have softhsm2-util || need softhsm2
    # BouncyCastle judges cards and certificates; Eclipse's compiler is a hundredth of a JDK's size.
    have java || need default-jre-headless
    have javac || have ecj || need ecj
    for jar in bcprov bcpkix bcutil; do
        [ -e /usr/share/java/$jar.jar ] || need lib$jar-java
    done
    # Reads back the PDFs that we write.
    have pdftotext || need poppler-utils
    # Reads back the QR codes that we draw.
    have zbarimg || need zbar-tools
    have git || need git
    # A second reader of packets, written from docs/packet.md.
    have python3 || need python3
    have chromium || need chromium
    have chromedriver || need chromium-driver
    have npm || need npm
    # A virtual card reader, to let a reader that we did not write read our virtual chip.
    have pcscd || [ -x /usr/sbin/pcscd ] || need pcscd
    [ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] || need vsmartcard-vpcd
fi
if ! have cargo && [ -x "$HOME/.cargo/bin/cargo" ]; then
    say "cargo is in $HOME/.cargo/bin and not on the PATH; run: . \"\$HOME/.cargo/env\""
    exit 1
fi
have cargo || { say "Rust is missing; install it with rustup, then run this again"; exit 1; }

[ -z "$packages" ] && exit 0
if ! have apt-get; then
    say "please install with your package manager (Debian's names):$packages"
    exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
    if have sudo && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        say "please run: sudo apt-get install --no-install-recommends$packages"
        exit 1
    fi
fi
say "installing$packages"
# Debian's postgresql package would start a server of its own at installation; dancu starts a private one instead.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $as_root mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
log=$(mktemp)
if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $packages; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "the package manager failed (its last lines are above); please install:$packages"
    exit 1
fi
rm -f "$log"
say "installed$packages"
