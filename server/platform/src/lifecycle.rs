//! Deleting a tenant while the server runs, and what to tell whoever asked.

use crate::{
    IntoProblem, Platform,
    problem::{conflict, internal, logged},
};
use contract::{Problem, ProblemCode, TenantId, sentence};
use lifecycle::{Certificate, LifecycleError, UnderWay};
use std::time::Duration;
use tenancy::OperatorScope;

/// How long answers that another process writes are waited for; those of this one are ended.
const ANSWERS_END: Duration = Duration::from_secs(20);
/// Between looks whether the ledger's table has what was on its way.
const PATIENCE: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(4)];
/// How long settling takes.
const SETTLED: Duration = Duration::from_millis(300);

impl Platform {
    /// Deletes a tenant and everything of it, or completes a deletion that was interrupted. `confirmed` is the tenant's
    /// short name as the operator typed it.
    pub async fn tenant_delete(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        confirmed: &str,
    ) -> Result<Certificate, LifecycleError> {
        self.lifecycle.tenant_delete_begin(operator, tenant, confirmed).await?;
        self.chats.stop_all_of(tenant);
        // Answers that were stopped just now are settled and counted; those of programs may take longer, and are not.
        tokio::time::sleep(SETTLED).await;
        self.close_books_of(tenant).await?;
        self.lifecycle.tenant_delete(operator, tenant, confirmed, UnderWay::WaitFor(ANSWERS_END)).await
    }

    /// Until nothing of the tenant can become a row any more.
    async fn close_books_of(&self, tenant: TenantId) -> Result<(), LifecycleError> {
        for patience in PATIENCE {
            match self.metering.close_tenant(tenant).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%tenant, %error, "the ledger's journal is not through with the tenant"),
            }
            tokio::time::sleep(patience).await;
        }
        Err(LifecycleError::BooksOpen)
    }
}

impl IntoProblem for LifecycleError {
    fn into_problem(self) -> Problem {
        // What follows “; ” is for the command line.
        let said = self.to_string();
        let said = sentence(said.split_once("; ").map_or(said.as_str(), |(what, _)| what));
        match self {
            Self::UnknownTenant(_) => Problem::new(ProblemCode::NotFound, "There is no such tenant."),
            Self::NotConfirmed { .. } => Problem::field("name", sentence(&self.to_string())),
            Self::SlugTaken { .. } => conflict("This name is taken", said),
            Self::AlreadyHere { .. } => conflict("This tenant is here already", said),
            Self::BeingDeleted { .. } => conflict("This tenant is being deleted", said),
            Self::OtherImport { .. } => conflict("Another import is under way", said),
            Self::FileExists(_) | Self::FileInUse(_) => conflict("This file is there already", said),
            // What the database says of it is the inside.
            Self::Conflict { ref table, .. } => {
                let detail =
                    format!("A row of {table} cannot be placed here, since one like it exists. Nothing was imported.");
                logged(ProblemCode::Conflict, &detail, &self).titled("A row like it is here already")
            }
            Self::Occupied | Self::StillAnswering { .. } | Self::BooksOpen | Self::Remains { .. } => {
                conflict("This takes another attempt", sentence(&self.to_string())).retry_after(5)
            }
            // Where it lies meanwhile is the inside too.
            Self::NotAnArchive(_) => {
                Problem::field("archive", "This is no archive of a tenant. Send what an export of one gave you.")
            }
            Self::Damaged { what, .. } => Problem::field(
                "archive",
                format!("The archive is damaged: {what}. Nothing was imported; send another copy of it."),
            ),
            Self::Newer { what, .. } => Problem::field(
                "archive",
                format!("The archive was made by a newer Seam ({what}). Import it with that version."),
            ),
            Self::NoSuchPlan { plan } => Problem::field(
                "plan",
                format!(
                    "The tenant's plan “{plan}” does not exist here. Say plan=create to make it as it is in the archive, \
                     or plan=none to import the tenant without a plan."
                ),
            ),
            Self::Store(error) => error.into_problem(),
            Self::Tenancy(error) => error.into_problem(),
            error @ (Self::Uncovered { .. } | Self::File { .. } | Self::Note(_) | Self::Worker(_)) => internal(&error),
        }
    }
}
