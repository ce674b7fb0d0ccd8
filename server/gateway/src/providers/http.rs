//! The one place that builds HTTP clients to providers, and what all of them share: the key in a header
//! that does not show itself, deadlines, and errors without secrets.

use super::sse::{self, Event};
use crate::provider::ProviderError;
use futures::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::Deserialize;
use std::{cell::OnceCell, sync::OnceLock, time::Duration};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::CancellationToken;

/// A provider that does not even accept a connection in this time will not do so later.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Error bodies are read up to here; some providers answer a failure with a web page.
const MAX_ERROR_BYTES: usize = 64 << 10;
const MAX_ERROR_CHARS: usize = 300;
/// The largest body that is not a stream: a batch of embeddings.
const MAX_BODY_BYTES: usize = 64 << 20;

/// How a provider wants its key.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyHeader {
    Bearer,
    XApiKey,
    XGoogApiKey,
}

/// What is needed to speak to one provider over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    base_url: String,
    /// The same, understood.
    base: Url,
    headers: HeaderMap,
    key: Option<HeaderValue>,
    timeout: Duration,
}

/// All providers share one client: its pool is kept apart by host, and TLS is set up once. A thread that is a runtime by
/// itself has its own: then no word of an answer is handed from one processor to another.
fn client() -> Result<Client, ProviderError> {
    static SHARED: OnceLock<Result<Client, String>> = OnceLock::new();
    thread_local! {
        static OWN: OnceCell<Result<Client, String>> = const { OnceCell::new() };
    }
    let alone = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
    let built = if alone { OWN.with(|own| own.get_or_init(build).clone()) } else { SHARED.get_or_init(build).clone() };
    built.map_err(|reason| {
        ProviderError::NotReady(format!("TLS cannot start ({reason}); are the system's CA certificates installed?"))
    })
}

fn build() -> Result<Client, String> {
    // An error says that a provider is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[allow(clippy::disallowed_methods)] // this is the one place
    Client::builder()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        // A redirect would carry prompts, and perhaps the key, to a place nobody configured.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("seam/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| chain(&error))
}

/// Whether a base URL can be used; the reason when not, as it is said of it.
pub(crate) fn check_base_url(base_url: &str) -> Result<(), String> {
    let url = Url::parse(base_url)
        .map_err(|error| format!("is “{base_url}”, not a URL ({error}); write it like http://127.0.0.1:8080/v1"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("is “{base_url}”; it must start with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or password; use api_key".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("is “{base_url}”; it must end with its path, without “?” or “#”"));
    }
    Ok(())
}

/// Whether a key can stand in a header.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= 4096 && key.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Connection {
    pub fn new(
        base_url: &str,
        key: Option<&str>,
        key_header: KeyHeader,
        timeout: Duration,
    ) -> Result<Self, ProviderError> {
        check_base_url(base_url).map_err(|reason| ProviderError::NotReady(format!("its base_url {reason}")))?;
        let mut headers = HeaderMap::new();
        let key = match key {
            Some(key) => {
                let (name, text) = match key_header {
                    KeyHeader::Bearer => (header::AUTHORIZATION, format!("Bearer {key}")),
                    KeyHeader::XApiKey => (HeaderName::from_static("x-api-key"), key.to_owned()),
                    KeyHeader::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
                };
                let mut value = HeaderValue::try_from(text).map_err(|_| ProviderError::Unauthorised)?;
                value.set_sensitive(true);
                headers.insert(name, value);
                let mut key = HeaderValue::try_from(key).map_err(|_| ProviderError::Unauthorised)?;
                key.set_sensitive(true);
                Some(key)
            }
            None => None,
        };
        client()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        let base = Url::parse(&base_url).map_err(|error| ProviderError::NotReady(error.to_string()))?;
        Ok(Self { base_url, base, headers, key, timeout })
    }

    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Without looking at the host anew.
    fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    pub fn get(&self, path: &str) -> Result<RequestBuilder, ProviderError> {
        Ok(client()?.get(self.url(path)).headers(self.headers.clone()))
    }

    pub fn post(&self, path: &str) -> Result<RequestBuilder, ProviderError> {
        Ok(client()?.post(self.url(path)).headers(self.headers.clone()))
    }

    /// Sends a request and waits for the head of the answer; anything but success is an error.
    pub async fn send(
        &self,
        request: RequestBuilder,
        model: &str,
        cancel: &CancellationToken,
    ) -> Result<Response, ProviderError> {
        self.send_within(self.timeout, request, model, cancel).await
    }

    /// The same for an answer whose head comes only when all of it is made.
    pub async fn send_within(
        &self,
        limit: Duration,
        request: RequestBuilder,
        model: &str,
        cancel: &CancellationToken,
    ) -> Result<Response, ProviderError> {
        let response = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(ProviderError::Cancelled),
            sent = tokio::time::timeout(limit, request.send()) => {
                sent.map_err(|_| ProviderError::TimedOut(limit))?.map_err(|error| self.unsent(&error))?
            }
        };
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response, model).await) }
    }

    /// The events of a streamed answer.
    pub fn events(
        &self,
        response: Response,
        cancel: CancellationToken,
    ) -> Result<impl Stream<Item = Result<Event, ProviderError>> + Send + 'static + use<>, ProviderError> {
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|name| name.trim_start().starts_with("text/event-stream")) {
            let shown = content_type.unwrap_or("nothing").chars().take(60).collect::<String>();
            return Err(ProviderError::Malformed(format!("expected text/event-stream, got {shown}")));
        }
        Ok(sse::events(response.bytes_stream(), self.timeout, cancel))
    }

    /// A whole JSON answer.
    pub async fn json<T: for<'de> Deserialize<'de>>(&self, response: Response) -> Result<T, ProviderError> {
        self.json_within(self.timeout, response).await
    }

    /// The same where the head may come long before the rest.
    pub async fn json_within<T: for<'de> Deserialize<'de>>(
        &self,
        limit: Duration,
        response: Response,
    ) -> Result<T, ProviderError> {
        let body = tokio::time::timeout(limit, read_up_to(response, MAX_BODY_BYTES))
            .await
            .map_err(|_| ProviderError::TimedOut(limit))??;
        serde_json::from_slice(&body).map_err(|error| ProviderError::Malformed(error.to_string()))
    }

    /// What it means that no answer came: either nobody took the request, or somebody did and fell silent.
    fn unsent(&self, error: &reqwest::Error) -> ProviderError {
        let reason = self.redacted(&chain(error));
        if error.is_connect() || error.is_builder() {
            return ProviderError::Unreachable(reason);
        }
        tracing::debug!(reason, "a provider took a request and closed the connection");
        ProviderError::Cut
    }

    /// Turns an answer that is not a success into what it means.
    async fn refusal(&self, response: Response, model: &str) -> ProviderError {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = match tokio::time::timeout(self.timeout, read_up_to(response, MAX_ERROR_BYTES)).await {
            Ok(Ok(body)) => body,
            // The status alone says enough.
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let (code, message) = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => error.code_and_message(),
            Err(_) => (String::new(), String::from_utf8_lossy(&body).into_owned()),
        };
        meaning(status, &code, &self.redacted(&message), retry_after, model)
    }

    /// An error object in mid-stream, where there is no status any more.
    pub fn streamed_error(&self, error: ErrorObject, model: &str) -> ProviderError {
        let (code, message) = error.code_and_message();
        let status = match code.as_str() {
            "rate_limit_error" | "rate_limit_exceeded" => StatusCode::TOO_MANY_REQUESTS,
            "authentication_error" | "permission_error" | "invalid_api_key" => StatusCode::UNAUTHORIZED,
            "invalid_request_error" | "context_length_exceeded" => StatusCode::BAD_REQUEST,
            other => other.parse().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        meaning(status, &code, &self.redacted(&message), None, model)
    }

    /// Text from outside, short enough for a log line and without the key, should the other side echo it.
    fn redacted(&self, text: &str) -> String {
        let key = self.key.as_ref().and_then(|key| key.to_str().ok());
        let text = key.map_or_else(|| text.to_owned(), |key| text.replace(key, "…"));
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_ERROR_CHARS).collect()
    }
}

/// The error object of both dialects: `{"error": {"type", "code", "message"}}`.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ErrorObject {
    Detailed {
        #[serde(default)]
        message: Option<String>,
        #[serde(default, rename = "type")]
        kind: Option<String>,
        /// A word with OpenAI, a number with some compatible servers.
        #[serde(default)]
        code: Option<serde_json::Value>,
    },
    Plain(String),
}

impl ErrorObject {
    fn code_and_message(self) -> (String, String) {
        match self {
            Self::Detailed { message, kind, code } => {
                let code = match code {
                    Some(serde_json::Value::String(code)) => Some(code),
                    Some(serde_json::Value::Number(code)) => Some(code.to_string()),
                    Some(_) | None => None,
                };
                (code.or(kind).unwrap_or_default(), message.unwrap_or_default())
            }
            Self::Plain(message) => (String::new(), message),
        }
    }
}

/// Anthropic tells an empty account as a wrong request.
const EMPTY_ACCOUNT: &str = "credit balance is too low";

fn meaning(status: StatusCode, code: &str, message: &str, retry_after: Option<Duration>, model: &str) -> ProviderError {
    let message = if message.trim().is_empty() { code.to_owned() } else { message.to_owned() };
    let number = status.as_u16();
    match number {
        401 => ProviderError::Unauthorised,
        403 => ProviderError::Forbidden(message),
        404 if model.is_empty() => ProviderError::Failed {
            status: number,
            message: "there is nothing at this address; check base_url".to_owned(),
        },
        404 => ProviderError::UnknownModel(model.to_owned()),
        // Waiting does not fill an empty account; another provider may still answer.
        429 if code == "insufficient_quota" => ProviderError::Failed { status: number, message },
        429 => ProviderError::RateLimited { retry_after },
        503 | 529 if retry_after.is_some() => ProviderError::RateLimited { retry_after },
        // It is the operator's account that is empty, and others have theirs.
        402 => ProviderError::Failed { status: number, message },
        400 if message.contains(EMPTY_ACCOUNT) => ProviderError::Failed { status: number, message },
        400 | 413 | 422 => {
            context_exceeded(code, &message).unwrap_or(ProviderError::Rejected { status: number, message })
        }
        // Not now, and not because of what was asked.
        408 | 409 | 425 => ProviderError::Failed { status: number, message },
        300..=399 => ProviderError::Failed {
            status: number,
            message: "the address redirects; set base_url to where it leads".to_owned(),
        },
        400..=499 => ProviderError::Rejected { status: number, message },
        _ => ProviderError::Failed { status: number, message },
    }
}

/// OpenAI's “maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens” and
/// Anthropic's “prompt is too long: 210000 tokens > 200000 maximum”, as numbers.
fn context_exceeded(code: &str, message: &str) -> Option<ProviderError> {
    let mut numbers = message
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .filter_map(|part| part.parse::<i64>().ok());
    let (first, second) = (numbers.next()?, numbers.next()?);
    if code == "context_length_exceeded" {
        Some(ProviderError::ContextExceeded { limit: first, tokens: second })
    } else if message.starts_with("prompt is too long") {
        Some(ProviderError::ContextExceeded { tokens: first, limit: second })
    } else {
        None
    }
}

/// `retry-after-ms` (OpenAI) is finer than `retry-after`, which is a number of seconds or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    if let Some(seconds) = number("retry-after-ms").map(|millis| millis / 1000.0).or_else(|| number("retry-after")) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(text("retry-after")?).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO))
}

async fn read_up_to(mut response: Response, limit: usize) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| ProviderError::Cut)? {
        if body.len() + chunk.len() > limit {
            return Err(ProviderError::Malformed(format!("the answer is longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes; the outermost alone says only “error sending request”.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> ProviderError {
        meaning(StatusCode::from_u16(status).unwrap(), code, message, None, "m")
    }

    #[test]
    fn what_a_status_means_decides_whether_somebody_else_is_asked() {
        assert!(matches!(refused(401, "", ""), ProviderError::Unauthorised));
        assert!(matches!(refused(403, "", "not here"), ProviderError::Forbidden(why) if why == "not here"));
        assert!(matches!(refused(404, "model_not_found", ""), ProviderError::UnknownModel(model) if model == "m"));
        assert!(matches!(refused(429, "", ""), ProviderError::RateLimited { retry_after: None }));
        assert!(matches!(refused(429, "insufficient_quota", "pay"), ProviderError::Failed { status: 429, .. }));
        for status in [402, 409, 425] {
            assert!(matches!(refused(status, "", "no"), ProviderError::Failed { .. }), "{status}");
        }
        let empty = "Your credit balance is too low to access the Anthropic API.";
        assert!(matches!(refused(400, "invalid_request_error", empty), ProviderError::Failed { status: 400, .. }));
        assert!(matches!(refused(400, "", "no"), ProviderError::Rejected { status: 400, .. }));
        assert!(matches!(refused(500, "", "oh"), ProviderError::Failed { status: 500, .. }));
        assert!(matches!(refused(302, "", ""), ProviderError::Failed { status: 302, .. }));
        let too_long = "maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.";
        assert!(matches!(
            refused(400, "context_length_exceeded", too_long),
            ProviderError::ContextExceeded { tokens: 9000, limit: 8192 }
        ));
        assert!(matches!(
            refused(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            ProviderError::ContextExceeded { tokens: 210_000, limit: 200_000 }
        ));
    }

    #[test]
    fn retry_after_is_read_in_both_units() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert("retry-after", HeaderValue::from_static("2"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(2)));
        let in_a_minute = jiff::Timestamp::now() + Duration::from_secs(60);
        let date = in_a_minute.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.insert("retry-after", HeaderValue::from_str(&date).unwrap());
        let told = retry_after(&headers).unwrap().as_secs();
        assert!((57..=60).contains(&told), "{told}");
        headers.insert("retry-after", HeaderValue::from_static("Fri, 31 Dec 1999 23:59:59 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::ZERO));
        headers.insert("retry-after-ms", HeaderValue::from_static("250"));
        assert_eq!(retry_after(&headers), Some(Duration::from_millis(250)));
        headers.insert("retry-after-ms", HeaderValue::from_static("-1"));
        assert_eq!(retry_after(&headers), None);
    }

    #[test]
    fn a_key_shows_nowhere() {
        let connection =
            Connection::new("http://127.0.0.1:1/v1/", Some("sk-secret"), KeyHeader::Bearer, CONNECT_TIMEOUT).unwrap();
        assert!(!format!("{connection:?}").contains("sk-secret"));
        assert_eq!(connection.redacted("Incorrect key sk-secret\nprovided"), "Incorrect key … provided");
        assert_eq!(connection.base_url(), "http://127.0.0.1:1/v1");
    }

    #[test]
    fn base_urls_are_checked_before_they_are_stored() {
        assert!(check_base_url("http://127.0.0.1:9100/v1").is_ok());
        for bad in ["", "localhost:1", "ftp://x/", "https://user:pw@x/v1", "https://x/v1?key=1"] {
            assert!(check_base_url(bad).is_err(), "{bad}");
        }
    }
}
