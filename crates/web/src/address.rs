//! Whose line a request comes over.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::state::{AppState, Settings};

/// Hops of `X-Forwarded-For` that are looked at, from the nearest.
const MOST_HOPS: usize = 16;

/// Where a request comes from, for counting guesses.
pub(crate) struct Address(pub String);

impl FromRequestParts<AppState> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Address, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Address(peer.map_or_else(String::new, |peer| line(client(peer, &parts.headers, &state.settings)))))
    }
}

/// Who speaks: the peer, or, where the peer is a proxy of ours, whom it says it speaks for. Anybody can write
/// `X-Forwarded-For`, so that nobody else is believed, and what stands left of the last address that is no
/// proxy of ours is not read.
fn client(peer: IpAddr, headers: &HeaderMap, settings: &Settings) -> IpAddr {
    if !settings.is_proxy(peer) {
        return peer;
    }
    let said = headers.get_all("x-forwarded-for").iter().rev().filter_map(|value| value.to_str().ok());
    let hops = said.flat_map(|value| value.rsplit(',')).take(MOST_HOPS);
    for hop in hops {
        match hop_address(hop.trim()) {
            Some(hop) if settings.is_proxy(hop) => {}
            Some(hop) => return hop,
            None => break,
        }
    }
    peer
}

/// An address, which some proxies write with a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().map(|socket| socket.ip());
    hop.parse().or_else(|_| with_port()).ok()
}

/// What one subscriber is known by: an IPv4 address, or the first 64 bits of an IPv6 address, because each
/// line has 2⁶⁴ of those to guess from (RFC 6177).
pub(crate) fn line(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv6Addr::LOCALHOST.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            format!("{}/64", Ipv6Addr::from(network))
        }
        IpAddr::V4(address) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(address: &str) -> String {
        line(address.parse().unwrap())
    }

    #[test]
    fn a_line_cannot_change_its_address_to_guess_on() {
        assert_eq!(line_of("2001:db8:1:2::1"), line_of("2001:db8:1:2:ffff:1:2:3"));
        assert_ne!(line_of("2001:db8:1:2::1"), line_of("2001:db8:1:3::1"));
        assert_eq!(line_of("::ffff:203.0.113.9"), line_of("203.0.113.9"));
        assert_ne!(line_of("203.0.113.9"), line_of("203.0.113.10"));
        assert_eq!(line_of("::1"), "::1");
    }

    #[test]
    fn only_a_named_proxy_is_believed_and_only_about_its_own_neighbour() {
        let proxies = vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let settings = Settings { proxies, ..Settings::default() };
        let check = |peer: &str, said: &[&str], expect: &str| {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &settings);
            assert_eq!(found.to_canonical().to_string(), expect, "{peer} {said:?}");
        };
        check("192.0.2.1", &["203.0.113.9"], "192.0.2.1");
        check("10.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("::ffff:10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1", "203.0.113.9"], "203.0.113.9");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["203.0.113.9, rubbish"], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.2, 10.0.0.1"], "10.0.0.1");
    }
}
