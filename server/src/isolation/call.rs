//! A call that can be made, by a test in process or over HTTP, and what it names.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

/// What a call names: one thing of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Things {
    pub tenant: String,
    pub slug: String,
    pub conversation: String,
    pub question: String,
    pub answer: String,
    pub run: String,
    /// A member, who owns the conversation.
    pub member: String,
    /// What that member signs in with.
    pub address: String,
    pub key: String,
    pub invitation: String,
    pub visit: String,
    /// Words that only stand in this tenant's texts.
    pub words: String,
}

impl Things {
    /// Well-formed names of nothing.
    pub fn nowhere() -> Self {
        let id = || Uuid::now_v7().to_string();
        Self {
            tenant: id(),
            slug: format!("t{}", Uuid::now_v7().simple()),
            conversation: id(),
            question: id(),
            answer: id(),
            run: id(),
            member: id(),
            address: format!("a{}@isolation.invalid", Uuid::now_v7().simple()),
            key: id(),
            invitation: id(),
            visit: id(),
            words: format!("w{}", Uuid::now_v7().simple()),
        }
    }

    pub fn each(&self) -> [&str; 11] {
        [
            &self.tenant,
            &self.slug,
            &self.conversation,
            &self.question,
            &self.answer,
            &self.run,
            &self.member,
            &self.key,
            &self.invitation,
            &self.visit,
            &self.words,
        ]
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub enum Call {
    /// As a browser opens a page.
    Page(String),
    /// As a program reads.
    Read(String),
    Json(String, Value),
    /// As the pages' script posts a form: the answer is a status.
    Form(String, Vec<(&'static str, String)>),
}

impl Call {
    pub fn path(&self) -> &str {
        match self {
            Self::Page(path) | Self::Read(path) | Self::Json(path, _) | Self::Form(path, _) => path,
        }
    }

    /// Media type and body of what is posted; none: it is a GET.
    pub fn body(&self) -> Option<(&'static str, String)> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        match self {
            Self::Page(_) | Self::Read(_) => None,
            Self::Json(_, body) => Some(("application/json", body.to_string())),
            Self::Form(_, fields) => {
                let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
                Some(("application/x-www-form-urlencoded", pairs.join("&")))
            }
        }
    }

    pub const fn is_page(&self) -> bool {
        matches!(self, Self::Page(_))
    }

    /// Everything that is sent, in one text: what comes back of it was known before.
    pub fn text(&self) -> String {
        match self {
            Self::Page(path) | Self::Read(path) => path.clone(),
            Self::Json(path, body) => format!("{path} {body}"),
            Self::Form(path, fields) => format!("{path} {fields:?}"),
        }
    }
}
