//! What keeps a tenant from being exported, imported or deleted.

use crate::coverage::Plane;
use contract::Slug;
use std::path::PathBuf;
use store::StoreError;
use tenancy::TenancyError;

#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    #[error("there is no tenant “{0}”; list them: seam tenant list")]
    UnknownTenant(String),
    #[error("the name that was typed is not the tenant's; type “{slug}” to delete it")]
    NotConfirmed { slug: Slug },
    #[error("the tenant “{slug}” exists already; import it under another name: --as NAME")]
    SlugTaken { slug: Slug },
    #[error(
        "the tenant in this archive is here already, as “{slug}”; import it a second time under another name: --as NAME"
    )]
    AlreadyHere { slug: String },
    #[error("“{slug}” is being deleted; complete that first: seam tenant delete {slug}")]
    BeingDeleted { slug: String },
    #[error(
        "the import of another archive as “{slug}” was interrupted; complete it with that archive, or remove what it \
         left: seam tenant delete {slug}"
    )]
    OtherImport { slug: String },
    #[error("another tenant is being imported or deleted just now; wait for that to end, then try again")]
    Occupied,
    #[error(
        "an answer is still being written in “{slug}”, which nobody can enter any more; wait a little, then run the same \
         command again"
    )]
    StillAnswering { slug: String },
    #[error(
        "the ledger cannot be written at the moment, and something of the workspace waits to get into it; nobody can enter \
         the workspace any more; delete it again in a little while"
    )]
    BooksOpen,
    #[error("“{}” exists already; choose another name, or remove that file first", .0.display())]
    FileExists(PathBuf),
    #[error("another export is writing “{}”; wait for that one, or choose another name", .0.display())]
    FileInUse(PathBuf),
    #[error("“{}” is no archive of a tenant; archives are made by seam tenant export", .0.display())]
    NotAnArchive(PathBuf),
    #[error("the archive “{}” is damaged: {what}; nothing was imported, take another copy of it", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("the archive “{}” was made by a newer Seam ({what}); import it with that version", path.display())]
    Newer { path: PathBuf, what: String },
    #[error(
        "the tenant's plan “{plan}” does not exist here; create it from the archive with --with-plan, or leave the tenant \
         without a plan with --without-plan"
    )]
    NoSuchPlan { plan: String },
    #[error("a row of {table} cannot be placed here, since one like it exists: {source}; nothing was imported")]
    Conflict { table: String, source: StoreError },
    /// A table was added without saying what becomes of it.
    #[error("nothing says what becomes of the table {}.{table}; name it in lifecycle's coverage.rs", plane.as_str())]
    Uncovered { plane: Plane, table: String },
    #[error("{rows} rows came back into {table} while they were being deleted; run the same command again")]
    Remains { table: String, rows: u64 },
    #[error("cannot use “{}”: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("what was noted about an interrupted deletion cannot be read: {0}")]
    Note(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    /// The thread that reads or writes the file panicked, or the runtime is going down.
    #[error("the archive could not be read or written: {0}")]
    Worker(#[from] tokio::task::JoinError),
}
