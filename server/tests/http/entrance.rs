//! Mail, forgotten passwords and the history of sign-ins, as browsers see them.

use crate::{
    browser::{Browser, PASSWORD, Server},
    console::admin,
};
use http::{StatusCode, header};
use std::time::{Duration, Instant};
use testkit::{Mailbox, Relay};

/// The members page, once it says this.
async fn says(browser: &Browser, page: &str, words: &str) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let text = browser.page(page).await.text();
        if text.contains(words) {
            return text;
        }
        assert!(Instant::now() < until, "never “{words}” in {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_invitation_goes_out_by_mail_and_its_link_works() {
    let mailbox = Mailbox::open(Relay::Takes).await.unwrap();
    let server = Server::start_with_mail(mailbox.url()).await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    ada.form("/api/ui/member-invite", &[("email", "carol@acme.test"), ("role", "member")]).await;
    let letters = mailbox.wait_for(1).await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].from.contains("<seam@seam.test>"), "{}", letters[0].from);
    assert_eq!(letters[0].to.len(), 1);
    assert!(letters[0].to[0].contains("<carol@acme.test>"), "{:?}", letters[0].to);
    let text = letters[0].text();
    assert!(text.contains("ada@acme.test invites you to join acme as a member."), "{text}");
    assert!(text.contains("Auto-Submitted: auto-generated") && text.contains("text/html"), "{text}");
    let page = says(&ada, "/admin/members", "mail was sent").await;
    assert!(!page.contains("could not be sent"));

    let link = letters[0].link("/invite/").unwrap();
    let path = link.strip_prefix("http://seam.test").unwrap();
    let carol = server.browser();
    assert!(carol.page(path).await.text().contains("You are invited"));
    let token = path.strip_prefix("/invite/").unwrap();
    let joined = carol.form("/api/ui/invitation-accept", &[("token", token), ("password", PASSWORD)]).await;
    assert_eq!(joined.header(header::LOCATION), "/chat", "{}", joined.text());
    assert!(carol.page("/settings").await.text().contains("Joined by an invitation"));
}

#[tokio::test]
async fn an_invitation_outlives_a_relay_that_refuses_it() {
    let mailbox = Mailbox::open(Relay::Refuses).await.unwrap();
    let server = Server::start_with_mail(mailbox.url()).await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    ada.form("/api/ui/member-invite", &[("email", "carol@acme.test"), ("role", "member")]).await;
    let page = ada.page("/admin/members").await.text();
    let at = page.find("http://seam.test/invite/").expect("the link is shown in any case");
    let link = page[at..].split('<').next().unwrap().strip_prefix("http://seam.test").unwrap().to_owned();
    says(&ada, "/admin/members", "the mail could not be sent").await;
    assert!(server.browser().page(&link).await.text().contains("You are invited"));
    assert!(mailbox.letters().is_empty());
}

#[tokio::test]
async fn nobody_waits_for_a_relay_that_says_nothing() {
    let mailbox = Mailbox::open(Relay::Hangs).await.unwrap();
    let server = Server::start_with_mail(mailbox.url()).await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    let begun = Instant::now();
    for number in 0..5 {
        let email = format!("carol{number}@acme.test");
        let made = ada.form("/api/ui/member-invite", &[("email", &email), ("role", "member")]).await;
        assert_eq!(made.header(header::LOCATION), "/admin/members", "{}", made.text());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    says(&ada, "/admin/members", "mail is on its way").await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_mail() {
    let mailbox = Mailbox::open(Relay::Takes).await.unwrap();
    let server = Server::start_with_mail(mailbox.url()).await;
    let ada = server.member("acme", "ada@acme.test").await;
    assert_eq!(ada.page("/settings").await.status, StatusCode::OK);
    let visitor = server.browser();
    assert!(visitor.page("/login").await.text().contains("href=\"/reset\""));
    for email in ["ada@acme.test", "nobody@acme.test"] {
        let asked = visitor.form("/api/ui/password-reset-ask", &[("email", email)]).await;
        assert_eq!(asked.header(header::LOCATION), "/reset?sent=1", "{email}: {}", asked.text());
    }
    assert!(visitor.page("/reset?sent=1").await.text().contains("If there is an account"));
    let letters = mailbox.wait_for(1).await;
    assert_eq!(letters.len(), 1, "none to whom nobody knows");
    let link = letters[0].link("/reset/").unwrap();
    let path = link.strip_prefix("http://seam.test").unwrap().to_owned();
    let token = path.strip_prefix("/reset/").unwrap();
    assert!(visitor.page(&path).await.text().contains("For ada@acme.test."));
    let new = "entirely new words";
    let set = visitor.form("/api/ui/password-reset", &[("token", token), ("chosen", new)]).await;
    assert_eq!(set.header(header::LOCATION), "/login?ended=reset", "{}", set.text());

    assert_eq!(ada.page("/settings").await.status, StatusCode::FOUND, "her session has ended");
    let again = visitor.script_form("/api/ui/password-reset", &[("token", token), ("chosen", new)]).await;
    assert_eq!(again.status, StatusCode::GONE, "{}", again.text());
    assert!(visitor.page(&path).await.text().contains("This link does not work"));
    assert_eq!(visitor.sign_in_by_script("ada@acme.test", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    visitor.sign_in("ada@acme.test", new).await;
    let history = visitor.page("/settings").await.text();
    for line in ["Set a new password with a link", "Refused: wrong password", "Signed in with the password"] {
        assert!(history.contains(line), "{line}: {history}");
    }
    assert!(history.contains("This is the only session of your account."), "{history}");
}

#[tokio::test]
async fn asking_for_links_without_end_is_refused_whether_there_is_an_account_or_not() {
    let mailbox = Mailbox::open(Relay::Takes).await.unwrap();
    let server = Server::start_with_mail(mailbox.url()).await;
    server.tenant("acme", "ada@acme.test").await;
    for email in ["ada@acme.test", "nobody@acme.test"] {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(server.browser().script_form("/api/ui/password-reset-ask", &[("email", email)]).await.status);
        }
        let [.., last] = statuses[..] else { panic!() };
        assert!(statuses[..3].iter().all(StatusCode::is_success), "{statuses:?}");
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(mailbox.wait_for(3).await.len(), 3);
}

#[tokio::test]
async fn without_mail_there_is_no_promise_of_it() {
    let server = Server::start().await;
    let visitor = server.browser();
    assert!(!visitor.page("/login").await.text().contains("href=\"/reset\""));
    assert!(visitor.page("/reset").await.text().contains("This server sends no mail"));
    let asked = visitor.script_form("/api/ui/password-reset-ask", &[("email", "ada@acme.test")]).await;
    assert_eq!(asked.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_way_back_that_nobody_began_leads_to_the_beginning_with_the_reason() {
    let server = Server::start().await;
    let visitor = server.browser();
    let back = visitor.page("/oidc/callback?state=guessed&code=guessed").await;
    assert_eq!((back.status, back.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/sso"));
    let told = visitor.page("/sso").await.text();
    assert!(told.contains("This sign-in was begun in another browser"), "{told}");
    assert!(!visitor.page("/sso").await.text().contains("begun in another browser"), "told once");
    for path in
        ["/oidc/start?domain=nowhere.test", "/oidc/start?domain=%25", "/oidc/start?domain=a.test&next=//evil.test"]
    {
        let start = visitor.page(path).await;
        assert_eq!((start.status, start.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/sso"), "{path}");
    }
    let begun = visitor.script_form("/api/ui/single-sign-on-begin", &[("email", "ada@nowhere.test")]).await;
    assert_eq!(begun.status, StatusCode::UNAUTHORIZED);
    assert!(begun.text().contains("not set up for nowhere.test"), "{}", begun.text());
    assert!(!visitor.page("/login").await.text().contains("href=\"/sso"), "no tenant has a provider");
}
