//! Deleting somebody's account, in every table that has rows of it.

use crate::{
    Lifecycle, LifecycleError, Plane,
    coverage::{Known, pair},
    survey::{Leaving, of_account},
};
use contract::{Email, Slug, UserId};
use tenancy::OperatorScope;

/// Who was deleted, and where they were a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    pub email: Email,
    pub tenants: Vec<Slug>,
}

impl Lifecycle {
    /// Deletes an account with its memberships, sessions, sign-ins and links, all or nothing. What its person wrote in
    /// tenants stays theirs, and their ledgers and logs stay as they are.
    ///
    /// # Errors
    /// What [`Tenancy::user_take_leave`](tenancy::Tenancy::user_take_leave) refuses: an operator, the last admin of a
    /// tenant, an address that is not typed as it is.
    pub async fn person_delete(
        &self,
        operator: &OperatorScope,
        user: UserId,
        confirmed: &str,
    ) -> Result<Departed, LifecycleError> {
        let mut tx = self.control.begin().await?;
        let (email, tenants) = self.tenancy.user_take_leave(&mut tx, operator, user, confirmed).await?;
        let leaving = Leaving { id: user.to_string(), email };
        // Rows that point at others first.
        for Known { table, rows } in pair(Plane::Control, tx.tables().await?)?.iter().rev() {
            if let Some(which) = of_account(*rows, &leaving) {
                tx.rows_delete(table, &which).await?;
            }
        }
        tx.commit().await?;
        Ok(Departed { email: leaving.email, tenants })
    }
}
