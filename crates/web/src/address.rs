//! Whose line a request comes over.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::state::AppState;

/// Where a request comes from, for counting guesses.
pub(crate) struct Address(pub String);

impl FromRequestParts<AppState> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Address, Infallible> {
        let forwarded = || {
            let value = parts.headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            Some(value.rsplit(',').next()?.trim().chars().take(64).collect::<String>())
        };
        let peer = || parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
        let address = if state.settings.behind_proxy { forwarded().or_else(peer) } else { peer() };
        Ok(Address(line(&address.unwrap_or_default())))
    }
}

/// What one subscriber is known by: an IPv4 address, or the first 64 bits of an IPv6 address, because each
/// line has 2⁶⁴ of those to guess from (RFC 6177).
fn line(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let network = u128::from(address) >> 64 << 64;
            format!("{}/64", Ipv6Addr::from(network))
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_change_its_address_to_guess_on() {
        assert_eq!(line("2001:db8:1:2::1"), line("2001:db8:1:2:ffff:1:2:3"));
        assert_ne!(line("2001:db8:1:2::1"), line("2001:db8:1:3::1"));
        assert_eq!(line("::ffff:203.0.113.9"), line("203.0.113.9"));
        assert_ne!(line("203.0.113.9"), line("203.0.113.10"));
        assert_eq!(line("unknown"), "unknown");
    }
}
