//! A server over a directory of its own, and browsers that keep their cookies.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
};
use contract::{Email, NewMessage, Password, Role, RunStarted, TenantId, UserId};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use platform::{LocalSettings, MailSettings, Platform, PlatformSettings, ProviderKeys};
use seam::{PublicUrl, WebSettings, WebState, apply::apply};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tenancy::{NewTenant, Secret, SystemClock};
use testbase::Scratch;
use tokio::time::timeout;
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery";

/// No answer takes longer: what hangs is named and fails.
const LONGEST: Duration = Duration::from_secs(20);

/// A simulated model, quick and not so quick that its answer would be one event.
const MODELS: &str = r#"
[[provider]]
name = "sim"
kind = "simulated"
options = { tokens = 12, tokens_per_second = 200 }
[[model]]
name = "sim"
targets = [{ provider = "sim", model = "sim" }]
[[price]]
provider = "sim"
model = "sim"
input = "1"
output = "2"
effective_from = "2020-01-01T00:00:00Z"
"#;

pub struct Server {
    pub platform: Arc<Platform>,
    router: Router,
    pub scratch: Scratch,
}

pub async fn open_platform(scratch: &Scratch, mail: Option<MailSettings>) -> Arc<Platform> {
    let settings = PlatformSettings {
        database: scratch.location().clone(),
        data_dir: scratch.dir().to_owned(),
        master_key: None,
        master_key_file: None,
        master_key_also: None,
        // There are no weights here: the local model says so, and costs nothing.
        local: LocalSettings::new(scratch.dir().join("models")),
        clock: Arc::new(SystemClock),
        provider_keys: ProviderKeys::default(),
        node_name: "test".to_owned(),
        mail,
        private_identity_providers: true,
    };
    Arc::new(Platform::open(settings).await.unwrap())
}

impl Server {
    pub async fn start() -> Self {
        Self::start_at("http://seam.test").await
    }

    pub async fn start_at(public_url: &str) -> Self {
        Self::start_with(public_url, None).await
    }

    pub async fn start_with(public_url: &str, metrics_token: Option<&str>) -> Self {
        Self::start_whole(public_url, metrics_token, None).await
    }

    /// With a relay that takes letters.
    pub async fn start_with_mail(relay: &str) -> Self {
        let mail = MailSettings::parse(relay, "Seam <seam@seam.test>").unwrap();
        Self::start_whole("http://seam.test", None, Some(mail)).await
    }

    async fn start_whole(public_url: &str, metrics_token: Option<&str>, mail: Option<MailSettings>) -> Self {
        let scratch = Scratch::new().await.unwrap();
        let platform = open_platform(&scratch, mail).await;
        apply(&platform.tenancy, MODELS, &|_| None, false).await.unwrap();
        let metrics = recorder();
        let settings = WebSettings {
            public_url: PublicUrl::parse(public_url).unwrap(),
            trust_proxy: true,
            metrics: Some(metrics),
            metrics_token: metrics_token.map(|token| Secret::new(token.to_owned())),
        };
        let router = seam::router(WebState::new(Arc::clone(&platform), settings));
        Self { platform, router, scratch }
    }

    /// A model `pair`, whose targets can change places, and a provider where nobody listens and tenants may use keys.
    pub async fn models_to_manage(&self) {
        let pair = r#"
[[provider]]
name = "nearby"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
own_keys = true
[[model]]
name = "pair"
targets = [{ provider = "sim", model = "one" }, { provider = "sim", model = "other" }]
"#;
        apply(&self.platform.tenancy, pair, &|_| None, false).await.unwrap();
        self.platform.registry.invalidate().await;
        self.platform.gateway.invalidate();
    }

    /// A model `slow`, whose answer takes a minute.
    pub async fn slow_model(&self) {
        let slow = MODELS
            .replace("sim\"", "slow\"")
            .replace("tokens = 12, tokens_per_second = 200", "tokens = 600, tokens_per_second = 10");
        let slow = slow.split("[[price]]").next().unwrap();
        apply(&self.platform.tenancy, slow, &|_| None, false).await.unwrap();
        self.platform.registry.invalidate().await;
        self.platform.gateway.invalidate();
    }

    /// A tenant with one member.
    pub async fn tenant(&self, slug: &str, email: &str) -> (TenantId, UserId) {
        let tenancy = &self.platform.tenancy;
        let new = NewTenant {
            slug: slug.parse().unwrap(),
            display_name: slug.to_owned(),
            plan: None,
            monthly_budget: None,
            soft_budget: None,
            region: None,
            zero_retention: false,
        };
        let tenant = match tenancy.tenant_by_slug(&new.slug).await.unwrap() {
            Some(tenant) => tenant,
            None => tenancy.tenant_create(new).await.unwrap(),
        };
        let email: Email = email.parse().unwrap();
        let password = Password::chosen(PASSWORD.to_owned()).unwrap();
        let user = tenancy.user_create(email, Some(password), false).await.unwrap();
        tenancy.member_add(tenant.id, user, Role::Member).await.unwrap();
        (tenant.id, user)
    }

    pub fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookies: Mutex::default() }
    }

    /// A browser that has these cookies, from wherever.
    pub fn browser_with(&self, cookies: &str) -> Browser {
        let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
        let cookies = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Browser { router: self.router.clone(), cookies: Mutex::new(cookies) }
    }

    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// What a machine that watches is told.
    pub async fn metrics(&self) -> String {
        let mut request = get("/metrics");
        request.headers_mut().insert("x-forwarded-for", "127.0.0.1".parse().unwrap());
        self.browser().send(request).await.text()
    }

    /// A browser in which a new member of a tenant is signed in.
    pub async fn member(&self, slug: &str, email: &str) -> Browser {
        self.tenant(slug, email).await;
        let browser = self.browser();
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.text());
        browser
    }
}

pub struct Browser {
    router: Router,
    cookies: Mutex<BTreeMap<String, String>>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, media type and code of a problem.
    pub fn problem(&self) -> (u16, String, String) {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), self.header(header::CONTENT_TYPE).to_owned(), code)
    }
}

impl Browser {
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let response = self.start(request).await;
        let (parts, body) = response.into_parts();
        let body = timeout(LONGEST, to_bytes(body, usize::MAX)).await;
        let body = body.unwrap_or_else(|_| panic!("{asked} began to answer and did not end")).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request and leaves the body to the caller.
    pub async fn start(&self, mut request: Request<Body>) -> Response<Body> {
        if let Some(cookie) = self.cookie() {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        let asked = format!("{} {}", request.method(), request.uri());
        let response = timeout(LONGEST, self.router.clone().oneshot(request)).await;
        let response = response.unwrap_or_else(|_| panic!("{asked} did not answer")).unwrap();
        let mut cookies = self.cookies.lock().unwrap();
        for set in response.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            // The session's end is told by an empty value; tests look at it.
            if set.contains("Max-Age=0") && name != "seam_session" {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(cookies);
        response
    }

    pub fn cookie(&self) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(get(path)).await
    }

    pub async fn page(&self, path: &str) -> Answer {
        let mut request = get(path);
        request.headers_mut().insert(header::ACCEPT, "text/html".parse().unwrap());
        self.send(request).await
    }

    /// As the interface posts: from our own page, as JSON.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.send(post(path, "application/json", body.to_string())).await
    }

    /// As a plain HTML form posts.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_on("http://seam.test/login", path, fields).await
    }

    /// The same from the page at an address of its own.
    pub async fn form_on(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request = post(path, "application/x-www-form-urlencoded", encoded(fields));
        request.headers_mut().insert(header::ACCEPT, "text/html".parse().unwrap());
        request.headers_mut().insert(header::REFERER, page.parse().unwrap());
        self.send(request).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        self.form("/api/ui/sign-in", &[("email", email), ("password", password)]).await
    }

    /// The same from a script, which is told the status.
    pub async fn sign_in_by_script(&self, email: &str, password: &str) -> Answer {
        self.script_form("/api/ui/sign-in", &[("email", email), ("password", password)]).await
    }

    /// A form as `forms.js` posts it.
    pub async fn script_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(post(path, "application/x-www-form-urlencoded", encoded(fields))).await
    }

    pub async fn message(&self, text: &str) -> RunStarted {
        self.message_to("sim", text).await
    }

    pub async fn message_to(&self, model: &str, text: &str) -> RunStarted {
        let message = NewMessage { conversation: None, text: text.to_owned(), model: Some(model.to_owned()) };
        let answer = self.post("/api/ui/message-send", &serde_json::json!({ "message": message })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }
}

/// One recorder a process, as in a server.
fn recorder() -> metrics_exporter_prometheus::PrometheusHandle {
    static RECORDER: std::sync::OnceLock<metrics_exporter_prometheus::PrometheusHandle> = std::sync::OnceLock::new();
    RECORDER.get_or_init(|| metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().unwrap()).clone()
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).header(header::HOST, "seam.test").body(Body::empty()).unwrap()
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace(' ', "+");
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

pub fn post(path: &str, media: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, "seam.test")
        .header(header::CONTENT_TYPE, media)
        .header("sec-fetch-site", "same-origin")
        .body(body.into())
        .unwrap()
}
