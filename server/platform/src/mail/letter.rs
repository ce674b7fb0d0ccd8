//! What our letters say. Plain text first, the same as simple HTML after it.
//!
//! What always holds: words of other people (a tenant's name, an address) go in on one line and escaped, so
//! that nobody writes headers or markup through us.

use contract::{InvitationOffer, Role};

/// A letter to one person.
pub(super) struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
}

pub(super) fn invitation(offer: &InvitationOffer, link: &str, days: u64) -> Letter {
    let (tenant, by) = (one_line(&offer.tenant), one_line(&offer.invited_by));
    let role = match offer.role {
        Role::Admin => "an admin",
        Role::Member => "a member",
        Role::Viewer => "a viewer",
    };
    letter(
        format!("You are invited to {tenant}"),
        &[format!("{by} invites you to join {tenant} as {role}.")],
        ("Accept the invitation", link),
        &[
            format!("The link works once, within {days} days, for the address that this letter was sent to."),
            "If you do not know what this is about, do nothing: without the link nothing happens.".to_owned(),
        ],
    )
}

pub(super) fn password_reset(email: &str, address: &str, link: &str, minutes: u64) -> Letter {
    let (email, address) = (one_line(email), one_line(address));
    letter(
        "Set a new password".to_owned(),
        &[format!("Somebody, at the network address {address}, asked to set a new password for {email}.")],
        ("Choose a new password", link),
        &[
            format!("The link works once, within {minutes} minutes. Setting a new password ends all sessions."),
            "If it was not you, do nothing: your password stays as it is.".to_owned(),
        ],
    )
}

fn letter(subject: String, before: &[String], (act, link): (&str, &str), after: &[String]) -> Letter {
    let text = [before.join("\n\n"), format!("{act}:\n{link}"), after.join("\n\n")].join("\n\n");
    let paragraphs =
        |lines: &[String]| lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect::<String>();
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n{}\
         <p><a href=\"{link}\">{}</a></p>\n{}<p>The link in full: {link}</p>\n</body></html>\n",
        escaped(&subject),
        paragraphs(before),
        escaped(act),
        paragraphs(after),
        link = escaped(link),
    );
    Letter { subject, text: text + "\n", html }
}

/// A line break would begin another header, or another paragraph in our name.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(200).collect()
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_neither_a_header_nor_markup() {
        let offer = InvitationOffer {
            tenant: "Acme\r\nBcc: eve@evil.test <script>".to_owned(),
            email: "bob@acme.test".parse().unwrap(),
            role: Role::Member,
            invited_by: "ada@acme.test".to_owned(),
            has_account: false,
        };
        let letter = invitation(&offer, "https://seam.test/invite/abc", 7);
        assert_eq!(letter.subject, "You are invited to Acme  Bcc: eve@evil.test <script>");
        assert!(!letter.html.contains("<script>"), "{}", letter.html);
        assert!(letter.text.contains("https://seam.test/invite/abc"));
        assert!(letter.html.contains("href=\"https://seam.test/invite/abc\""));
    }
}
