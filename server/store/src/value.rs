//! Values that go into statements and come out of rows: a closed set that both engines hold exactly.
//!
//! What one engine would hold otherwise than the other never reaches them: the character NUL, which PostgreSQL
//! refuses in text, is stored as U+FFFD; a number that is none (NaN), which SQLite stores as NULL, is NULL.

use crate::{Row, StoreError};
use contract::{
    AttemptNo, ConversationId, Email, ImpersonationId, KeyId, MessageId, NanoUsd, NodeId, RequestId, RunId, SessionId,
    Slug, TenantId, Timestamp, TokenPrice, UserId,
};

/// What a placeholder or a column holds. `None` is NULL, of this type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Real(Option<f64>),
    Boolean(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

/// A value that can be bound to a placeholder.
pub trait Bind {
    fn into_value(self) -> Value;
}

/// A value that can be read from a column.
pub trait Column: Sized {
    fn from_column(row: &Row, column: &str) -> Result<Self, StoreError>;
}

fn text(text: Option<String>) -> Value {
    Value::Text(text.map(|text| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
}

fn real(number: Option<f64>) -> Value {
    Value::Real(number.filter(|number| !number.is_nan()))
}

/// The types of [`Value`]: how each is wrapped, and how a row is asked for it.
macro_rules! native {
    ($($type:ty: $wrap:expr, $read:ident;)+) => {$(
        impl Bind for $type {
            fn into_value(self) -> Value {
                $wrap(Some(self))
            }
        }
        impl Bind for Option<$type> {
            fn into_value(self) -> Value {
                $wrap(self)
            }
        }
        impl Column for $type {
            fn from_column(row: &Row, column: &str) -> Result<Self, StoreError> {
                row.$read(column)?.ok_or_else(|| StoreError::Column {
                    column: column.to_owned(),
                    reason: "it is NULL".to_owned(),
                })
            }
        }
        impl Column for Option<$type> {
            fn from_column(row: &Row, column: &str) -> Result<Self, StoreError> {
                row.$read(column)
            }
        }
    )+};
}
native! {
    String: text, text;
    i64: Value::Integer, integer;
    f64: real, real;
    bool: Value::Boolean, boolean;
    Vec<u8>: Value::Bytes, bytes;
}

impl Bind for &str {
    fn into_value(self) -> Value {
        text(Some(self.to_owned()))
    }
}

impl Bind for Option<&str> {
    fn into_value(self) -> Value {
        text(self.map(str::to_owned))
    }
}

/// Types stored as another, native one.
macro_rules! stored_as {
    ($native:ty; $($type:ty: $store:expr, $load:expr;)+) => {$(
        impl Bind for $type {
            fn into_value(self) -> Value {
                let store: fn($type) -> $native = $store;
                store(self).into_value()
            }
        }
        impl Bind for Option<$type> {
            fn into_value(self) -> Value {
                let store: fn($type) -> $native = $store;
                self.map(store).into_value()
            }
        }
        impl Column for $type {
            fn from_column(row: &Row, column: &str) -> Result<Self, StoreError> {
                let load: fn($native) -> Result<$type, String> = $load;
                load(<$native>::from_column(row, column)?)
                    .map_err(|reason| StoreError::Column { column: column.to_owned(), reason })
            }
        }
        impl Column for Option<$type> {
            fn from_column(row: &Row, column: &str) -> Result<Self, StoreError> {
                let load: fn($native) -> Result<$type, String> = $load;
                Option::<$native>::from_column(row, column)?
                    .map(load)
                    .transpose()
                    .map_err(|reason| StoreError::Column { column: column.to_owned(), reason })
            }
        }
    )+};
}

macro_rules! text {
    ($($type:ty),+ $(,)?) => {
        stored_as! { String; $($type: |value| value.to_string(), |text| text.parse().map_err(|e| format!("{e}"));)+ }
    };
}
text!(
    TenantId,
    UserId,
    KeyId,
    ImpersonationId,
    SessionId,
    ConversationId,
    MessageId,
    RunId,
    RequestId,
    NodeId,
    Email,
    Slug
);
text!(contract::Role, contract::ProviderKind);
text!(contract::SignInHow, contract::SignInOutcome, contract::MailState, contract::EmailDomain);

stored_as! { i64;
    Timestamp: Timestamp::as_millis, |millis| Ok(Timestamp::from_millis(millis));
    NanoUsd: NanoUsd::as_nanos, |nanos| Ok(NanoUsd::from_nanos(nanos));
    TokenPrice: |price| price.as_per_million().as_nanos(), |nanos| Ok(TokenPrice::per_million(NanoUsd::from_nanos(nanos)));
    AttemptNo: |attempt| attempt.0, |number| Ok(AttemptNo(number));
}
