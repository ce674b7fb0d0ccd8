//! What crosses the wire: ids, names, money, views, run events and the one error.
//!
//! Compiles to wasm, knows neither tokio nor sqlx. Everything here is plain data: parsed once at the
//! edge into types that cannot be wrong, and never mutated by a layer below.

mod api_key;
mod chat;
mod entrance;
mod id;
mod model;
mod money;
mod name;
mod people;
mod place;
mod problem;
mod run_event;
mod sentence;
mod session;
mod time;

pub use api_key::{
    KeyCounts, KeyLifetime, KeyOrder, KeyQuery, KeyScope, KeyState, KeyView, UnknownKeyLifetime, UnknownKeyOrder,
    UnknownKeyScope, UnknownKeyState,
};
pub use chat::{
    AnswerDetails, ConversationSummary, ConversationView, MAX_MESSAGE_CHARS, MAX_TITLE_CHARS, MessageRole,
    MessageStatus, MessageView, NewMessage, RunStarted,
};
pub use entrance::{
    DomainClaimView, DomainView, EmailDomain, EntranceView, MailState, SignInHow, SignInOutcome, SignInView,
    SingleSignOnView, UnknownWord,
};
pub use id::{
    AttemptNo, ConversationId, ImpersonationId, KeyId, MessageId, NodeId, ParseIdError, RequestId, RunId, SessionId,
    TenantId, UserId,
};
pub use model::{ModelView, OwnKeyView, ProviderKind};
pub use money::{NanoUsd, ParseMoneyError, TokenPrice};
pub use name::{DisplayName, Email, NameError, Password, Slug, unseen};
pub use people::{
    AuditEntry, ImpersonationView, InvitationOffer, InvitationView, ListOrder, ListQuery, MemberView, Page,
    TenantSummary, UnknownListOrder, UserSummary,
};
pub use place::{
    LastError, MoveDirection, Obstacle, PlaceHealth, PlaceState, PlaceView, ProviderView, RoutedModelView, TargetView,
    TenantModelView, TrialAnswer, TrialAttempt, TrialEnd, TrialView,
};
pub use problem::{FieldError, Problem, ProblemCode};
pub use run_event::{FinishReason, RenderedTail, RunEvent, RunEventRecord, TokenUsage};
pub use sentence::sentence;
pub use session::{ImpersonationNote, Role, SessionView, TenantMembership};
pub use time::{Day, NoDay, Timestamp};
