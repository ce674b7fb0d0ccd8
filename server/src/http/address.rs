//! Where a request comes from, for throttling.

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The peer's address; behind a trusted proxy the last one it reports, which is the only one that it vouches for.
pub(super) fn client(headers: &HeaderMap, extensions: &Extensions, trust_proxy: bool) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let reported = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse().ok()
    };
    let address: Option<IpAddr> = if trust_proxy { reported().or(peer) } else { peer };
    // The two spellings of an IPv4 address are one client.
    address.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_believed_only_when_it_is_trusted_and_only_for_what_it_saw() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 9.9.9.9".parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 5))));
        assert_eq!(client(&headers, &extensions, false), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(client(&headers, &extensions, true), IpAddr::from([9, 9, 9, 9]));
        assert_eq!(client(&HeaderMap::new(), &extensions, true), IpAddr::from([10, 0, 0, 1]));
    }
}
