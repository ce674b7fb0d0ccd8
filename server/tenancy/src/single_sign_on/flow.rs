//! To the identity provider and back: authorization code with PKCE (RFC 7636), state and nonce.
//!
//! What always holds: what the way back must match travels in the browser's own sealed cookie, for ten minutes,
//! and each state is used once; the ID token's signature, issuer, audience, nonce and times are checked by
//! `openidconnect`, with asymmetric algorithms alone; an address counts only when the provider says that it has
//! verified it. Both ways are bounded in time, and by client in number.

use super::{
    SingleSignOnError,
    identity::Vouched,
    setting::{self, SettingRow},
    wire::{Wire, WireError, causes},
};
use crate::{
    Client, SignedIn, Tenancy, TenancyError,
    clock::millis,
    digest,
    throttle::{self, Subject},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Email, EmailDomain, TenantId, Timestamp};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DiscoveryError, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, SubjectIdentifier, TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm as Algorithm,
        CoreProviderMetadata, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, time::Duration};
use store::{FromRow, Row, StoreError};
use tokio::time::timeout;

/// How long somebody may take at their provider.
pub const FLOW_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// All requests of one way together.
const ONE_WAY: Duration = Duration::from_secs(12);
const SEALED_FOR: &str = "sign-in-flow";
const PURPOSE: &str = "sign-in-flow";
/// A secret shared with the provider would do as a signature's key; only keys that the provider alone has count.
const SIGNED_BY: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

const BY_DOMAIN: &str = "
SELECT sign_in_domain.tenant_id AS value
FROM sign_in_domain
JOIN sign_in_setting ON sign_in_setting.tenant_id = sign_in_domain.tenant_id
WHERE sign_in_domain.domain = $1 AND sign_in_domain.confirmed_at IS NOT NULL AND sign_in_setting.enabled = TRUE";
const TENANT_NAME: &str = "SELECT display_name AS value FROM tenant WHERE id = $1";
const USED_FORGET: &str = "DELETE FROM one_time_link WHERE purpose = $1 AND expires_at <= $2";
const USE: &str = "
INSERT INTO one_time_link (token_hash, purpose, expires_at, used_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (token_hash) DO NOTHING";

type Provider =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Where the browser goes, and what it must bring back.
#[derive(Debug)]
pub struct Departure {
    /// The provider's own page.
    pub url: String,
    /// For a cookie of this browser, for [`FLOW_LIFETIME`].
    pub flow: String,
}

/// What the way back must match. Sealed: neither the browser nor its owner can read or write it.
#[derive(Serialize, Deserialize)]
struct Flow {
    tenant: TenantId,
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until: Timestamp,
}

struct TenantOf(TenantId);

impl FromRow for TenantOf {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("value")?))
    }
}

fn unusable(cause: impl ToString) -> TenancyError {
    SingleSignOnError::Unusable { cause: cause.to_string() }.into()
}

/// Reads a provider's discovery document and its keys; the error is for whoever sets it up.
pub(super) async fn discover(wire: Wire, issuer: &str) -> Result<CoreProviderMetadata, String> {
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| format!("“{issuer}” is no URL"))?;
    wire.check(issuer.url()).map_err(|error| error.to_string())?;
    let host = issuer.url().host_str().unwrap_or_default().to_owned();
    let send = move |request: HttpRequest| wire.send(request);
    let found = timeout(ONE_WAY, CoreProviderMetadata::discover_async(issuer, &send)).await;
    let found = found.map_err(|_| format!("{host} did not answer in time; look whether this server may reach it"))?;
    let found = found.map_err(|error| {
        tracing::info!(cause = causes(&error), "an identity provider could not be discovered");
        undiscovered(&host, &error)
    })?;
    wire.check(found.authorization_endpoint().url()).map_err(|error| error.to_string())?;
    if found.token_endpoint().is_none() {
        return Err("its discovery document names no token endpoint".to_owned());
    }
    Ok(found)
}

/// What came instead of a discovery document, in a sentence.
fn undiscovered(host: &str, error: &DiscoveryError<WireError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.told(host),
        DiscoveryError::Response(status, ..) => format!(
            "{host} answers with status {} where its discovery document should be; look for a slip in the issuer",
            status.as_u16()
        ),
        DiscoveryError::Parse(_) => {
            format!("what {host} answers is no discovery document of OpenID Connect; look for a slip in the issuer")
        }
        DiscoveryError::Validation(reason) => format!("the discovery document of {host} does not fit: {reason}"),
        // The enum is open: what is new in it says itself what it is.
        DiscoveryError::Other(_) | DiscoveryError::UrlParse(_) | _ => error.to_string(),
    }
}

impl Tenancy {
    pub(super) fn wire(&self) -> Wire {
        Wire::new(self.private_identity_providers)
    }

    async fn provider(&self, tenant: TenantId, row: &SettingRow, callback: &str) -> Result<Provider, TenancyError> {
        let secret = self.vault().unseal(&setting::context(tenant, &row.view.issuer), &row.sealed)?;
        let metadata = discover(self.wire(), &row.view.issuer).await.map_err(unusable)?;
        let ways = metadata.token_endpoint_auth_methods_supported();
        let by_body = ways.is_some_and(|ways| {
            ways.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !ways.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let client = ClientId::new(row.view.client_id.clone());
        let secret = ClientSecret::new(secret.expose().to_owned());
        let redirect = RedirectUrl::new(callback.to_owned()).map_err(unusable)?;
        let provider = CoreClient::from_provider_metadata(metadata, client, Some(secret)).set_redirect_uri(redirect);
        Ok(if by_body { provider.set_auth_type(AuthType::RequestBody) } else { provider })
    }

    /// Whether people of this domain can come by single sign-on; `NotSetUp` otherwise. Looks at no account.
    pub async fn single_sign_on_check(&self, domain: &EmailDomain) -> Result<(), TenancyError> {
        self.tenant_of(domain).await.map(|_| ())
    }

    async fn tenant_of(&self, domain: &EmailDomain) -> Result<TenantId, TenancyError> {
        let found = self.control.read(BY_DOMAIN).bind(domain.clone()).fetch_optional::<TenantOf>().await?;
        found.map(|row| row.0).ok_or_else(|| SingleSignOnError::NotSetUp { domain: domain.clone() }.into())
    }

    /// Sends somebody to the provider of the tenant that this domain belongs to; `next` is where they go afterwards.
    ///
    /// Errors: `SingleSignOn`; `Throttled` by client.
    pub async fn single_sign_on_begin(
        &self,
        domain: &EmailDomain,
        callback: &str,
        next: &str,
        address: IpAddr,
    ) -> Result<Departure, TenancyError> {
        let tenant = self.tenant_of(domain).await?;
        // Each beginning makes this server ask another one.
        throttle::count(&self.control, &*self.clock, [Subject::single_sign_on(address)]).await?;
        let row = self.setting(tenant).await?.ok_or_else(|| SingleSignOnError::NotSetUp { domain: domain.clone() })?;
        let provider = self.provider(tenant, &row, callback).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request =
            provider.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        let request = request.add_scope(Scope::new("email".to_owned())).set_pkce_challenge(challenge);
        let (url, state, nonce) = request.url();
        let flow = Flow {
            tenant,
            issuer: row.view.issuer,
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            next: next.to_owned(),
            until: self.now().plus_millis(millis(FLOW_LIFETIME)),
        };
        let flow = serde_json::to_string(&flow).map_err(unusable)?;
        Ok(Departure { url: url.into(), flow: URL_SAFE_NO_PAD.encode(self.vault().seal(SEALED_FOR, &flow)?) })
    }

    /// Takes somebody back from their provider: the session's claims, and where they wanted to go.
    ///
    /// `answer` is the code, or the provider's word for why there is none. Errors: `SingleSignOn`.
    pub async fn single_sign_on_complete(
        &self,
        flow: Option<&str>,
        state: &str,
        answer: Result<&str, &str>,
        callback: &str,
        client: &Client,
    ) -> Result<(SignedIn, String), TenancyError> {
        let flow = flow.and_then(|flow| self.flow(flow)).filter(|flow| flow.state == state);
        let flow = flow.ok_or(SingleSignOnError::Stale)?;
        self.flow_use(&flow).await?;
        let code = answer.map_err(|code| {
            let plain = code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            SingleSignOnError::Denied { code: if plain { code.to_owned() } else { "error".to_owned() } }
        })?;
        let row = self.setting(flow.tenant).await?.filter(|row| row.view.enabled && row.view.issuer == flow.issuer);
        let row = row.ok_or(SingleSignOnError::Stale)?;
        let vouched = timeout(ONE_WAY, self.vouched(&flow, &row, code, callback)).await;
        let vouched = vouched.map_err(|_| unusable("it did not answer in time"))??;
        let claims = self.identity_enter(&vouched, client).await?;
        let principal = self.authenticate(&claims).await?.ok_or(SingleSignOnError::Stale)?;
        Ok((SignedIn { claims, view: principal.view() }, flow.next))
    }

    fn flow(&self, sealed: &str) -> Option<Flow> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let text = self.vault().unseal(SEALED_FOR, &sealed).ok()?;
        let flow: Flow = serde_json::from_str(text.expose()).ok()?;
        (self.now().millis_since(flow.until) < 0).then_some(flow)
    }

    /// A state is used once, even by a browser that kept its cookie.
    async fn flow_use(&self, flow: &Flow) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        tx.query(USED_FORGET).bind(PURPOSE).bind(now).execute().await?;
        let used = tx.query(USE).bind(digest::sha256(&flow.state)).bind(PURPOSE).bind(flow.until).bind(now);
        if used.execute().await? != 1 {
            return Err(SingleSignOnError::Stale.into());
        }
        tx.commit().await?;
        Ok(())
    }

    /// Turns the code into what the provider says of somebody, and believes only what is signed and verified.
    async fn vouched(
        &self,
        flow: &Flow,
        row: &SettingRow,
        code: &str,
        callback: &str,
    ) -> Result<Vouched, TenancyError> {
        let wire = self.wire();
        let send = move |request: HttpRequest| wire.send(request);
        let provider = self.provider(flow.tenant, row, callback).await?;
        let request = provider.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(unusable)?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let tokens = request.request_async(&send).await.map_err(|error| unusable(causes(&error)))?;
        let token = tokens.id_token().ok_or_else(|| unusable("the token answer holds no ID token"))?;
        let verifier = provider.id_token_verifier().set_allowed_algs(SIGNED_BY);
        let claims = token.claims(&verifier, &Nonce::new(flow.nonce.clone()));
        let claims = claims.map_err(|error| unusable(causes(&error)))?;
        let (mut email, mut verified) = (claims.email().cloned(), claims.email_verified());
        if email.is_none() {
            // Many providers tell the address only when they are asked for it.
            let told = ask(&provider, wire, tokens.access_token().clone(), claims.subject().clone()).await?;
            (email, verified) = (told.email().cloned(), told.email_verified());
        }
        let email = email.and_then(|email| email.parse::<Email>().ok()).ok_or(SingleSignOnError::NoEmail)?;
        if verified != Some(true) {
            return Err(SingleSignOnError::NotVerified.into());
        }
        let tenant_name = self.control.read(TENANT_NAME).bind(flow.tenant).fetch_optional::<String>().await?;
        Ok(Vouched {
            tenant: flow.tenant,
            tenant_name: tenant_name.ok_or(SingleSignOnError::Stale)?,
            issuer: flow.issuer.clone(),
            subject: claims.subject().to_string(),
            email,
            default_role: row.view.default_role,
        })
    }
}

/// What the provider tells about the person that the ID token is of, and about nobody else.
async fn ask(
    provider: &Provider,
    wire: Wire,
    token: AccessToken,
    subject: SubjectIdentifier,
) -> Result<CoreUserInfoClaims, TenancyError> {
    let send = move |request: HttpRequest| wire.send(request);
    let Ok(request) = provider.user_info(token, Some(subject)) else { return Err(SingleSignOnError::NoEmail.into()) };
    request
        .request_async(&send)
        .await
        .map_err(|error: openidconnect::UserInfoError<WireError>| unusable(causes(&error)))
}
