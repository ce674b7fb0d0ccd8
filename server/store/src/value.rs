//! Values that go into statements and come out of rows: a closed set that both engines hold exactly.

use crate::StoreError;
use contract::{
    AttemptNo, ConversationId, Email, MessageId, NanoUsd, RequestId, RunId, SessionId, Slug, TenantId, Timestamp,
    TokenPrice, UserId,
};
use sqlx::{Arguments, Row as _, sqlite::SqliteArguments, sqlite::SqliteRow};

/// A value that can be bound to a placeholder.
pub trait Bind {
    fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError>;
}

/// A value that can be read from a column.
pub trait Column: Sized {
    fn from_column(row: &SqliteRow, column: &str) -> Result<Self, StoreError>;
}

macro_rules! native {
    ($($type:ty),+) => {$(
        impl Bind for $type {
            fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
                arguments.add(self)
            }
        }
        impl Bind for Option<$type> {
            fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
                arguments.add(self)
            }
        }
        impl Column for $type {
            fn from_column(row: &SqliteRow, column: &str) -> Result<Self, StoreError> {
                Ok(row.try_get(column)?)
            }
        }
        impl Column for Option<$type> {
            fn from_column(row: &SqliteRow, column: &str) -> Result<Self, StoreError> {
                Ok(row.try_get(column)?)
            }
        }
    )+};
}
native!(String, i64, f64, bool, Vec<u8>);

impl Bind for &str {
    fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
        arguments.add(self.to_owned())
    }
}

impl Bind for Option<&str> {
    fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
        arguments.add(self.map(str::to_owned))
    }
}

/// Types stored as another, native one.
macro_rules! stored_as {
    ($native:ty; $($type:ty: $store:expr, $load:expr;)+) => {$(
        impl Bind for $type {
            fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
                let store: fn($type) -> $native = $store;
                store(self).bind_to(arguments)
            }
        }
        impl Bind for Option<$type> {
            fn bind_to(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
                let store: fn($type) -> $native = $store;
                self.map(store).bind_to(arguments)
            }
        }
        impl Column for $type {
            fn from_column(row: &SqliteRow, column: &str) -> Result<Self, StoreError> {
                let load: fn($native) -> Result<$type, String> = $load;
                load(<$native>::from_column(row, column)?)
                    .map_err(|reason| StoreError::Column { column: column.to_owned(), reason })
            }
        }
        impl Column for Option<$type> {
            fn from_column(row: &SqliteRow, column: &str) -> Result<Self, StoreError> {
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
text!(TenantId, UserId, SessionId, ConversationId, MessageId, RunId, RequestId, Email, Slug);
text!(contract::Role, contract::ProviderKind);

stored_as! { i64;
    Timestamp: Timestamp::as_millis, |millis| Ok(Timestamp::from_millis(millis));
    NanoUsd: NanoUsd::as_nanos, |nanos| Ok(NanoUsd::from_nanos(nanos));
    TokenPrice: |price| price.as_per_million().as_nanos(), |nanos| Ok(TokenPrice::per_million(NanoUsd::from_nanos(nanos)));
    AttemptNo: |attempt| attempt.0, |number| Ok(AttemptNo(number));
}
