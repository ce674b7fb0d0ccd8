//! The relay that takes our letters: where it is, how it is spoken to, and the conversation itself.

use super::{SENDING, letter::Letter};
use contract::Email;
use http::Uri;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use std::{error::Error, fmt, net::IpAddr};
use tokio::time::timeout;

const SUBMISSION: u16 = 587;
const SUBMISSION_OVER_TLS: u16 = 465;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Where letters go and from whom they are.
#[derive(Clone)]
pub struct MailSettings {
    transport: Transport,
    from: Mailbox,
    /// For people: host and port, without the password.
    place: String,
}

/// Which of the two settings cannot be used, and why. Never quotes the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailRefused {
    #[error("{0}")]
    Url(String),
    #[error("“{0}” is no sender such as Seam <seam@example.com>")]
    From(String),
}

/// Whether the conversation is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cover {
    /// From the first byte (`smtps://`).
    Whole,
    /// From `STARTTLS` on, or not at all.
    Required,
    /// Where the relay offers it.
    Offered,
    None,
}

impl MailSettings {
    /// From `smtp://user:password@host:587` or `smtps://…` and `Seam <seam@example.com>`.
    ///
    /// `smtp://` asks for `STARTTLS`, except from a relay on this machine; `?tls=opportunistic` and `?tls=none`
    /// soften that, but never together with a password.
    pub fn parse(url: &str, from: &str) -> Result<Self, MailRefused> {
        let refused = |reason: &str| MailRefused::Url(reason.to_owned());
        let shape = "write it like smtp://user:password@mail.example.com:587 (special characters percent-encoded)";
        let uri: Uri = url.parse().map_err(|_| refused(shape))?;
        let authority = uri.authority().ok_or_else(|| refused(shape))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let user_info = authority.as_str().rsplit_once('@').map(|(user_info, _)| user_info);
        let credentials = match user_info.map(|user_info| user_info.split_once(':')) {
            None => None,
            Some(Some((user, password))) => Some((decoded(user)?, decoded(password)?)),
            Some(None) => return Err(refused("a user needs a password; write user:password@host")),
        };
        if host.is_empty() || uri.path().len() > 1 {
            return Err(refused(shape));
        }
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let cover = match (uri.scheme_str(), uri.query()) {
            (Some("smtps"), None) => Cover::Whole,
            (Some("smtp"), None) if here => Cover::None,
            (Some("smtp"), None | Some("tls=required")) => Cover::Required,
            (Some("smtp"), Some("tls=opportunistic")) => Cover::Offered,
            (Some("smtp"), Some("tls=none")) => Cover::None,
            (Some("smtp" | "smtps"), Some(_)) => {
                return Err(refused("after “?” there may only be tls=required, tls=opportunistic or tls=none"));
            }
            (Some(_) | None, _) => return Err(refused(shape)),
        };
        if matches!(cover, Cover::Offered | Cover::None) && credentials.is_some() && !here {
            return Err(refused("the password would travel unencrypted; leave tls= out, or the password"));
        }
        let from: Mailbox = from.parse().map_err(|_| MailRefused::From(from.to_owned()))?;
        let port = authority.port_u16();
        let port = port.unwrap_or(if cover == Cover::Whole { SUBMISSION_OVER_TLS } else { SUBMISSION });
        let parameters = || {
            TlsParameters::new(host.clone())
                .map_err(|error| MailRefused::Url(format!("TLS cannot start: {}", causes(&error))))
        };
        let tls = match cover {
            Cover::Whole => Tls::Wrapper(parameters()?),
            Cover::Required => Tls::Required(parameters()?),
            Cover::Offered => Tls::Opportunistic(parameters()?),
            Cover::None => Tls::None,
        };
        let mut transport = Transport::builder_dangerous(host.clone())
            .port(port)
            .tls(tls)
            .timeout(Some(SENDING))
            // Relays look at it for spam; the sender's own domain is what they can verify.
            .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if let Some((user, password)) = credentials {
            transport = transport.credentials(Credentials::new(user, password));
        }
        Ok(Self { transport: transport.build(), from, place: format!("{host}:{port}") })
    }

    /// Host and port, for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Hands one letter over; the error names its causes and holds neither link nor password.
    pub(super) async fn send(&self, to: &Email, letter: Letter) -> Result<(), String> {
        let message = self.message(to, letter)?;
        match timeout(SENDING, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(causes(&error)),
            Err(_) => Err(format!("the relay did not take it within {} seconds", SENDING.as_secs())),
        }
    }

    fn message(&self, to: &Email, letter: Letter) -> Result<Message, String> {
        let address: Address = to.as_str().parse().map_err(|error| format!("not an address to send to: {error}"))?;
        let id = format!("<{}@{}>", uuid::Uuid::new_v4(), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(letter.subject)
            .message_id(Some(id))
            .date_now()
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
            .map_err(|error| causes(&error))
    }
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings").field("place", &self.place).finish_non_exhaustive()
    }
}

fn decoded(text: &str) -> Result<String, MailRefused> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| MailRefused::Url("the user or the password is not UTF-8".to_owned()))?;
    Ok(decoded.into_owned())
}

/// An error with its causes on one line.
fn causes(error: &(dyn Error + 'static)) -> String {
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

/// Keeps machines that answer for people on holiday from answering us (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<String, String> {
        MailSettings::parse(url, "Seam <seam@acme.test>")
            .map(|settings| settings.place().to_owned())
            .map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_relay_is_named_by_its_url() {
        assert_eq!(place("smtp://127.0.0.1:2525").unwrap(), "127.0.0.1:2525");
        assert_eq!(place("smtp://ada:pass%40word@mail.test").unwrap(), "mail.test:587");
        assert_eq!(place("smtps://ada:x@mail.test").unwrap(), "mail.test:465");
        assert_eq!(place("smtp://mail.test:25?tls=opportunistic").unwrap(), "mail.test:25");
    }

    #[test]
    fn what_cannot_be_used_says_why_and_shows_no_password() {
        for (url, expected) in [
            ("mail.test", "write it like"),
            ("http://mail.test", "write it like"),
            ("smtp://ada@mail.test", "a user needs a password"),
            ("smtp://ada:hunter2@mail.test?tls=none", "the password would travel unencrypted"),
            ("smtp://ada:hunter2@mail.test?tls=sometimes", "after “?”"),
            ("smtp://ada:hunter2@mail.test/inbox", "write it like"),
        ] {
            let refused = place(url).unwrap_err();
            assert!(refused.contains(expected) && !refused.contains("hunter2"), "{url}: {refused}");
        }
        let settings = MailSettings::parse("smtps://ada:hunter2@mail.test", "seam@acme.test").unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(MailSettings::parse("smtp://127.0.0.1", "nobody").is_err());
    }
}
