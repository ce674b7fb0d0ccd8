//! Requests to identity providers: the one place in this crate that builds an HTTP client.
//!
//! What always holds: a tenant's admin names the provider, so its addresses are a stranger's word. Only https is
//! spoken, redirects are refused, answers are bounded in size and time, and names that lead to this machine or a
//! private network are not followed, however they are resolved. The operator may allow private networks, and
//! then http on this machine too, for an identity provider of their own.

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::{
    Client, Request, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};

/// One request, from the connection to the last byte.
const REQUEST: Duration = Duration::from_secs(5);
/// Discovery documents have a few kilobytes, key sets too.
const MOST_BYTES: usize = 512 << 10;

#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("{0}")]
    Forbidden(String),
    #[error("its answer is longer than {} kB", MOST_BYTES >> 10)]
    TooLarge,
    #[error("no secure connection can be made: {0}")]
    Client(String),
    #[error("the request failed")]
    Http(#[from] reqwest::Error),
    #[error("the request is malformed")]
    Malformed(#[from] http::Error),
}

/// Why a host's name leads nowhere.
#[derive(Debug, thiserror::Error)]
enum NameError {
    #[error("{0} is not a name that can be found")]
    Unknown(String),
    #[error("{0} leads to a private network, which this server does not follow")]
    Private(String),
}

impl WireError {
    /// What is wrong with the host that was asked and what to do, for whoever wrote its address. The rest is for the log.
    pub(super) fn told(&self, host: &str) -> String {
        let Self::Http(error) = self else { return self.to_string() };
        if let Some(name) = caused_by::<NameError>(error) {
            return match name {
                NameError::Unknown(_) => {
                    format!("there is no host called {host}; look for a slip in the issuer, or in your DNS")
                }
                NameError::Private(_) => name.to_string(),
            };
        }
        if error.is_timeout() {
            return format!("{host} did not answer in time; look whether this server may reach it");
        }
        if caused_by::<rustls::Error>(error).is_some() {
            return format!("{host} makes no secure connection that can be trusted; look at its certificate");
        }
        if error.is_connect() {
            return format!(
                "{host} takes no connection; look for a slip in the issuer, and whether this server may reach it"
            );
        }
        format!("{host} broke off the connection; try again, and look at the provider's own log")
    }
}

/// The cause of this kind, wherever it stands among the causes of an error.
fn caused_by<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // What an I/O error wraps is not among its causes, but in it.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = error.downcast_ref::<E>().or_else(|| wrapped?.downcast_ref::<E>());
        if found.is_some() {
            return found;
        }
        cause = error.source();
    }
    None
}

/// Speaks to identity providers, of everywhere or of public networks alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    private: bool,
}

impl Wire {
    pub(super) const fn new(private: bool) -> Self {
        Self { private }
    }

    /// Whether a URL may be asked at all, or a browser be sent there, with the reason when not.
    pub(super) fn check(self, url: &Url) -> Result<(), WireError> {
        let forbidden = |reason: &str| Err(WireError::Forbidden(format!("“{url}” {reason}")));
        if !url.username().is_empty() || url.password().is_some() {
            return forbidden("must not contain a user or a password");
        }
        let Some(host) = url.host_str() else { return forbidden("names no host") };
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let here = host == "localhost" || literal.is_some_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if self.private && here => {}
            _ => return forbidden("must begin with https://"),
        }
        if !self.private && (here || literal.is_some_and(|address| !is_public(address))) {
            return forbidden("is on a private network, which this server does not follow");
        }
        Ok(())
    }

    pub(super) async fn send(self, request: HttpRequest) -> Result<HttpResponse, WireError> {
        let request = Request::try_from(request)?;
        self.check(request.url())?;
        let mut response = client(self.private)?.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(WireError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::builder().status(status);
        if let Some(into) = answer.headers_mut() {
            *into = headers;
        }
        Ok(answer.body(body)?)
    }
}

/// One for each reach: TLS is set up once.
fn client(private: bool) -> Result<&'static Client, WireError> {
    static PUBLIC: OnceLock<Result<Client, String>> = OnceLock::new();
    static PRIVATE: OnceLock<Result<Client, String>> = OnceLock::new();
    let built = (if private { &PRIVATE } else { &PUBLIC }).get_or_init(|| {
        // An error says that a provider is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[allow(clippy::disallowed_methods)] // identity providers, not model providers
        let builder = Client::builder();
        let builder = builder.redirect(Policy::none()).timeout(REQUEST).connect_timeout(REQUEST);
        // A proxy would resolve names for us, past the check below.
        let builder = builder.no_proxy().user_agent(concat!("seam/", env!("CARGO_PKG_VERSION")));
        builder.dns_resolver(Names { private }).build().map_err(|error| error.to_string())
    });
    built.as_ref().map_err(|reason| WireError::Client(reason.clone()))
}

/// Resolves names, and drops what is not on the public network unless private ones are followed too: a name is not
/// what it says.
#[derive(Debug, Clone, Copy)]
struct Names {
    private: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let failed = |error: NameError| Box::new(error) as Box<dyn Error + Send + Sync>;
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map_err(|_| failed(NameError::Unknown(name.as_str().to_owned())))?;
            let followed: Vec<SocketAddr> = found.filter(|address| private || is_public(address.ip())).collect();
            if followed.is_empty() {
                return Err(failed(NameError::Private(name.as_str().to_owned())));
            }
            Ok(Box::new(followed.into_iter()) as Addrs)
        })
    }
}

/// What the IANA registries call globally reachable, near enough: when in doubt it is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Shared by carriers, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3; of it not documentation, Teredo, or 6to4, which hides an IPv4 address.
    (0x2000..0x4000).contains(&first)
        && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
        && first != 0x2002
        && first != 0x3fff
}

/// An error with its causes on one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(private: bool, url: &str) -> bool {
        Wire::new(private).check(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn strangers_lead_to_public_https_alone() {
        assert!(allowed(false, "https://login.example.com/tenant"));
        for url in [
            "http://login.example.com",
            "ftp://login.example.com",
            "https://ada:x@login.example.com",
            "https://localhost:8443",
            "https://127.0.0.1",
            "https://10.1.2.3",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[::ffff:10.0.0.1]",
            "https://0x7f000001/",
        ] {
            assert!(!allowed(false, url), "{url}");
        }
    }

    #[test]
    fn an_operators_own_network_may_be_allowed() {
        assert!(allowed(true, "https://10.1.2.3") && allowed(true, "http://127.0.0.1:9000"));
        assert!(!allowed(true, "http://10.1.2.3") && !allowed(true, "http://login.example.com"));
    }

    #[test]
    fn private_networks_are_known_in_every_spelling() {
        for address in ["8.8.8.8", "2606:4700::1111"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "192.168.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "fe80::1",
            "::",
            "2002:a00::1",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let request = http::Request::get("https://localhost.localdomain.invalid./").body(Vec::new()).unwrap();
        assert!(Wire::new(false).send(request).await.is_err());
        let found = Names { private: false }.resolve("localhost".parse().unwrap()).await;
        assert!(found.is_err());
    }

    async fn told(private: bool, url: &str, host: &str) -> String {
        let request = http::Request::get(url).body(Vec::new()).unwrap();
        Wire::new(private).send(request).await.unwrap_err().told(host)
    }

    #[tokio::test]
    async fn a_host_that_cannot_be_asked_is_named_with_what_to_look_at() {
        let unknown = told(false, "https://login.nowhere.invalid/", "login.nowhere.invalid").await;
        assert_eq!(
            unknown,
            "there is no host called login.nowhere.invalid; look for a slip in the issuer, or in your DNS"
        );
        let closed = told(true, "http://127.0.0.1:1/", "127.0.0.1").await;
        assert!(closed.starts_with("127.0.0.1 takes no connection; look"), "{closed}");
    }
}
