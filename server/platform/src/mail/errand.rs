//! What the postman does for one letter: writes it, hands it over, and notes what became of it.

use super::{
    MailSettings,
    letter::{self},
};
use contract::{Email, MailState};
use metrics::counter;
use std::time::Duration;
use tenancy::{Client, INVITATION_LIFETIME, OneTimeToken, RESET_LIFETIME, Tenancy};

const DAY: u64 = 24 * 60 * 60;

/// A letter to be written and sent.
pub(crate) enum Errand {
    Invitation(InvitationErrand),
    Reset(ResetErrand),
}

/// The link of an invitation, to the address that was invited.
pub(crate) struct InvitationErrand {
    pub token: OneTimeToken,
    pub public_url: String,
}

/// A link that sets a new password, if there is somebody to send it to.
pub(crate) struct ResetErrand {
    pub email: Email,
    pub client: Client,
    pub public_url: String,
}

pub(super) async fn carry_out(errand: Errand, settings: &MailSettings, tenancy: &Tenancy) {
    let (kind, outcome) = match errand {
        Errand::Invitation(errand) => ("invitation", invitation(errand, settings, tenancy).await),
        Errand::Reset(errand) => ("reset", reset(errand, settings, tenancy).await),
    };
    let outcome = match outcome {
        Ok(Sent::Handed) => "sent",
        Ok(Sent::NobodyToSendTo) => return,
        Err(reason) => {
            tracing::warn!(kind, reason, relay = settings.place(), "a letter was not sent");
            "failed"
        }
    };
    counter!("seam_mail_total", "kind" => kind, "outcome" => outcome).increment(1);
}

enum Sent {
    Handed,
    NobodyToSendTo,
}

async fn invitation(errand: InvitationErrand, settings: &MailSettings, tenancy: &Tenancy) -> Result<Sent, String> {
    let InvitationErrand { token, public_url } = errand;
    // Withdrawn while it waited: then there is nothing to send.
    let Ok(offer) = tenancy.invitation_offer(token.as_str()).await else { return Ok(Sent::NobodyToSendTo) };
    let link = format!("{public_url}/invite/{token}");
    let days = INVITATION_LIFETIME.as_secs() / DAY;
    let sent = settings.send(&offer.email, letter::invitation(&offer, &link, days)).await;
    let state = if sent.is_ok() { MailState::Sent } else { MailState::Failed };
    if let Err(error) = tenancy.invitation_mail_note(&token, state).await {
        tracing::warn!(%error, "what became of an invitation's letter was not noted");
    }
    sent.map(|()| Sent::Handed)
}

async fn reset(errand: ResetErrand, settings: &MailSettings, tenancy: &Tenancy) -> Result<Sent, String> {
    let ResetErrand { email, client, public_url } = errand;
    let token = tenancy.password_reset_begin(&email, &client).await.map_err(|error| error.to_string())?;
    let Some(token) = token else { return Ok(Sent::NobodyToSendTo) };
    let link = format!("{public_url}/reset/{token}");
    let letter = letter::password_reset(email.as_str(), &client.address().to_string(), &link, minutes(RESET_LIFETIME));
    settings.send(&email, letter).await.map(|()| Sent::Handed)
}

const fn minutes(duration: Duration) -> u64 {
    duration.as_secs() / 60
}
