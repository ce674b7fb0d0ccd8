//! From the one-time link to the first answer, over HTTP and without JavaScript.

use crate::browser::{PASSWORD, Server};
use contract::{Password, ProviderKind};
use http::{StatusCode, header};
use platform::ConnectError;
use std::net::IpAddr;
use tenancy::TenancyError;

#[tokio::test]
async fn the_link_makes_the_operator_once_and_the_start_ends_in_a_chat() {
    let server = Server::start().await;
    let token = server.platform.tenancy.operator_link_create().await.unwrap();
    let browser = server.browser();
    let page = browser.page(&format!("/setup/{}", token.as_str())).await;
    assert_eq!(page.status, StatusCode::OK);
    let fields = [("token", token.as_str()), ("email", "op@seam.test"), ("password", PASSWORD)];
    let created = browser.form("/api/ui/operator-create", &fields).await;
    assert_eq!(created.header(header::LOCATION), "/start", "{}", created.text());
    assert_eq!(browser.page("/start").await.status, StatusCode::OK);
    let named = browser.form("/api/ui/tenant-create", &[("name", "Acme Labs"), ("slug", "")]).await;
    assert_eq!(named.header(header::LOCATION), "/start/model", "{}", named.text());
    let chosen = browser.form("/api/ui/model-choose", &[("provider", "local")]).await;
    assert_eq!(chosen.header(header::LOCATION), "/chat", "{}", chosen.text());
    assert_eq!(browser.page("/chat").await.status, StatusCode::OK);

    let sent = browser.form("/api/ui/message-post", &[("text", "hello"), ("model", "sim"), ("conversation", "")]).await;
    let conversation = sent.header(header::LOCATION).to_owned();
    assert!(conversation.starts_with("/chat/") && conversation.ends_with("?wait=1"), "{conversation}");
    let answered = browser.page(&conversation).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert!(answered.text().to_lowercase().contains("simulated"), "the answer is in the page");

    // The link is used up, for everybody.
    let again = server.browser().form("/api/ui/operator-create", &fields).await;
    assert_ne!(again.header(header::LOCATION), "/start");
}

#[tokio::test]
async fn only_the_operator_founds_tenants_and_connects_providers() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    for (path, fields) in [
        ("/api/ui/tenant-create", vec![("name", "Mine"), ("slug", "mine")]),
        ("/api/ui/model-choose", vec![("provider", "openai"), ("api_key", "sk-x")]),
    ] {
        let refused = member.form(path, &fields).await;
        assert!(!refused.header(header::LOCATION).starts_with("/start/model"), "{path}");
        assert!(!refused.header(header::LOCATION).starts_with("/chat"), "{path}");
    }
    // Nor past the pages: the layer beneath them asks for itself.
    let tenancy = &server.platform.tenancy;
    let password = Password::offered(PASSWORD.to_owned()).unwrap();
    let claims = tenancy.sign_in("ada@acme.test", password, IpAddr::from([192, 0, 2, 1])).await.unwrap().claims;
    let ada = tenancy.authenticate(&claims).await.unwrap().unwrap();
    let refused = server.platform.provider_connect(&ada, ProviderKind::Openai, "sk-x".to_owned()).await;
    assert!(matches!(refused, Err(ConnectError::Tenancy(TenancyError::PermissionDenied { .. }))), "{refused:?}");
    let refused = server.platform.tenant_found(&ada, "Mine".to_owned(), "mine".parse().unwrap()).await;
    assert!(matches!(refused, Err(TenancyError::PermissionDenied { .. })), "{refused:?}");
    let tenants = tenancy.tenant_list().await.unwrap();
    assert_eq!(tenants.len(), 1);
}
