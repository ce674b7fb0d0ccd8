//! What the entrance needs of tenancy and the mail at once.

use crate::{
    Platform,
    mail::{Errand, InvitationErrand, ResetErrand},
};
use contract::{Email, MailState, Role};
use tenancy::{Client, OneTimeToken, Scope, TenancyError};

impl Platform {
    /// Whether letters can be sent.
    pub fn sends_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// Invites an address into the tenant, and sends it the link where there is mail. The token is returned in
    /// any case: a letter that is lost loses no invitation.
    pub async fn invitation_send(
        &self,
        scope: &Scope,
        email: &Email,
        role: Role,
        public_url: String,
    ) -> Result<OneTimeToken, TenancyError> {
        let token = self.tenancy.invitation_create(scope, email, role).await?;
        if let Some(mailer) = &self.mailer {
            // Before it is posted, so that it does not overwrite what the postman notes.
            self.tenancy.invitation_mail_note(&token, MailState::Queued).await?;
            let errand = InvitationErrand { token: token.clone(), public_url };
            if !mailer.post(Errand::Invitation(errand)) {
                tracing::warn!("too many letters wait; an invitation's was not sent");
                self.tenancy.invitation_mail_note(&token, MailState::Failed).await?;
            }
        }
        Ok(token)
    }

    /// Sends a link that sets a new password, if the address has an account. Whoever asks learns nothing, not
    /// even from the time it takes: the account is looked up after the answer.
    ///
    /// Errors: `Throttled`, by address typed and by client; `Overloaded` when too many letters wait.
    pub async fn password_reset_ask(
        &self,
        email: &Email,
        client: Client,
        public_url: String,
    ) -> Result<(), TenancyError> {
        let Some(mailer) = &self.mailer else {
            return Err(TenancyError::NotFound { what: "mail on this server".to_owned() });
        };
        self.tenancy.password_reset_admit(email, client.address()).await?;
        let errand = Errand::Reset(ResetErrand { email: email.clone(), client, public_url });
        if mailer.post(errand) { Ok(()) } else { Err(TenancyError::Overloaded) }
    }
}
