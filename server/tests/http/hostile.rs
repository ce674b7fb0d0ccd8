//! What somebody who means harm tries, and what comes of it.

use crate::browser::{Server, get};
use futures::StreamExt;
use http::{StatusCode, header};
use std::time::Duration;

#[tokio::test]
async fn a_title_is_text_wherever_it_stands() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    for hostile in
        ["</title><meta http-equiv=refresh content=0;url=//evil.test>", "</h1><script>alert(1)</script> & co"]
    {
        let conversation = member.message(hostile).await.conversation;
        let page = member.page(&format!("/chat/{conversation}")).await;
        assert_eq!(page.status, StatusCode::OK);
        let text = page.text();
        for opened in ["<meta http-equiv=refresh", "<script>alert"] {
            for (at, _) in text.match_indices(opened) {
                let (before, _) = text.split_at(at);
                // Between quotes of an attribute a bracket opens nothing.
                let quoted = before.rfind('"').is_some_and(|quote| before[..quote].ends_with('='));
                assert!(quoted, "…{}", &text[at.saturating_sub(120)..at + 40]);
            }
        }
        let title = text.split("<title>").nth(1).unwrap_or_default().split("</title>").next().unwrap_or_default();
        assert!(title.starts_with("&lt;/") && title.ends_with("· Seam"), "{title}");
    }
}

#[tokio::test]
async fn a_refused_form_comes_back_once_and_by_cookie() {
    let server = Server::start().await;
    server.tenant("acme", "ada@acme.test").await;
    let browser = server.browser();
    let refused = browser.sign_in("ada@acme.test", "not the password").await;
    assert_eq!(refused.status, StatusCode::FOUND);
    let back = refused.header(header::LOCATION).to_owned();
    assert!(!back.contains("__err") && !back.contains("ada"), "{back}");
    let page = browser.page("/login").await.text();
    assert!(page.contains("value=\"ada@acme.test\"") && page.contains("Signing in did not work"), "{page}");
    assert!(!browser.page("/login").await.text().contains("Signing in did not work"));
}

#[tokio::test]
async fn nobody_puts_words_into_our_mouth_by_a_link() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let words = "eyJwcm9ibGVtIjp7ImNvZGUiOiJpbnRlcm5hbCIsInRpdGxlIjoiWW91ciBhY2NvdW50IGlzIGxvY2tlZCIsInN0YXR1cyI6NTAwLCJkZXRhaWwiOiJDYWxsIHVzIn0sImtlcHQiOltbInRleHQiLCJldmlsIl1dfQ";
    for (browser, page, form) in [(&server.browser(), "/login", "sign-in"), (&member, "/chat", "message-post")] {
        let page = browser.page(&format!("{page}?__path=%2Fapi%2Fui%2F{form}&__err={words}")).await.text();
        assert!(!page.contains("account is locked") && !page.contains(">evil<"), "{page}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_permission_to_read_it() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    server.slow_model().await;
    let run = member.message_to("slow", "tell me a lot").await.run;
    let response = member.start(get(&format!("/api/v1/runs/{run}/events?render=html"))).await;
    let mut body = response.into_body().into_data_stream();
    assert!(String::from_utf8_lossy(&body.next().await.unwrap().unwrap()).contains("event: started"));
    member.script_form("/api/ui/sign-out", &[]).await;
    let rest = async {
        let mut rest = String::new();
        while let Some(Ok(bytes)) = body.next().await {
            rest.push_str(&String::from_utf8_lossy(&bytes));
        }
        rest
    };
    let rest = tokio::time::timeout(Duration::from_secs(15), rest).await.unwrap();
    assert!(rest.contains("event: problem") && rest.contains("not_signed_in"), "{rest}");
    assert!(!rest.contains("event: finished"), "{rest}");
}

#[tokio::test]
async fn one_person_follows_a_bounded_number_of_answers() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let run = member.message("hello").await.run;
    let address = format!("/api/v1/runs/{run}/events");
    let mut open = Vec::new();
    for _ in 0..32 {
        let response = member.start(get(&address)).await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    assert_eq!(member.get(&address).await.problem().0, 429);
    open.clear();
    assert_eq!(member.get(&address).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_a_problem_like_any_other() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let run = member.message("hello").await.run;
    for query in ["after=1&after=2", "after=-1", "render=pdf"] {
        let (status, media, code) = member.get(&format!("/api/v1/runs/{run}/events?{query}")).await.problem();
        assert_eq!(
            (status, media.as_str(), code.as_str()),
            (422, "application/problem+json", "invalid_input"),
            "{query}"
        );
    }
}
