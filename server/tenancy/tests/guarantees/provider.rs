//! An identity provider that says what a test wants said, signed with a key that a test may swap. Over real HTTP.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey,
    core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

pub const CLIENT: &str = "seam";

#[derive(Default)]
pub struct Script {
    /// The ID token's claims, beside those that every token has.
    pub claims: Value,
    /// What `/userinfo` answers.
    pub user_info: Value,
    /// Signs with a key that is not published.
    pub foreign_key: bool,
    /// Announces this issuer instead of its own.
    pub issuer: Option<String>,
    /// Answers discovery with a redirect.
    pub redirects: bool,
    /// What was posted to the token endpoint last.
    pub token_request: String,
}

pub struct Provider {
    pub issuer: String,
    pub script: Arc<Mutex<Script>>,
}

fn key(seed: u8) -> CoreEdDsaPrivateSigningKey {
    // PKCS #8 of an Ed25519 key: a fixed head, then the seed (RFC 8410, section 7).
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([seed; 32]);
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("k".to_owned()))).unwrap()
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::<Mutex<Script>>::default();
        let (own, scripted) = (issuer.clone(), Arc::clone(&script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (own, scripted) = (own.clone(), Arc::clone(&scripted));
                tokio::spawn(async move { answer(stream, &own, &scripted).await });
            }
        });
        Self { issuer, script }
    }

    /// The next token is about this person, for the sign-in that `departure` began.
    pub fn vouch(&self, departure: &str, subject: &str, email: &str) {
        let nonce = parameter(departure, "nonce");
        let mut script = self.script.lock().unwrap();
        script.foreign_key = false;
        script.claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": subject, "nonce": nonce, "email": email, "email_verified": true,
        });
    }

    /// Changes one claim of the next token.
    pub fn claim(&self, name: &str, value: Value) {
        self.script.lock().unwrap().claims[name] = value;
    }
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap().1;
    query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().to_owned()
}

async fn answer(stream: TcpStream, issuer: &str, script: &Mutex<Script>) {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, json) = respond(path, &String::from_utf8_lossy(&body), issuer, &mut script.lock().unwrap());
    let json = json.to_string();
    let head =
        format!("HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{json}", json.len()).as_bytes()).await;
}

fn respond(path: &str, body: &str, issuer: &str, script: &mut Script) -> (&'static str, Value) {
    match path {
        "/.well-known/openid-configuration" if script.redirects => ("302 Found", Value::Null),
        "/.well-known/openid-configuration" => (
            "200 OK",
            json!({
                "issuer": script.issuer.as_deref().unwrap_or(issuer),
                "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/userinfo"), "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
            }),
        ),
        "/jwks" => ("200 OK", json!({ "keys": [key(1).as_verification_key()] })),
        "/token" => {
            script.token_request = body.to_owned();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let mut claims = script.claims.clone();
            claims["iat"] = json!(now);
            if claims["exp"].is_null() {
                claims["exp"] = json!(now + 300);
            }
            let head = json!({ "alg": "EdDSA", "kid": "k" });
            let signed = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
            let signature = key(if script.foreign_key { 2 } else { 1 });
            let signature = signature.sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes()).unwrap();
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
            ("200 OK", json!({ "access_token": "at", "token_type": "Bearer", "id_token": token }))
        }
        "/userinfo" => ("200 OK", script.user_info.clone()),
        _ => ("404 Not Found", Value::Null),
    }
}
