//! What lists look like, and what several resources share.
//!
//! Ids are UUIDs as text, times are milliseconds since 1970 in UTC, money is decimal text in US dollars.

use contract::{Page, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PageOf<T> {
    pub data: Vec<T>,
    /// Which page this is, from 1.
    pub page: i64,
    /// How many rows a page has.
    pub per_page: i64,
    /// How many rows there are on all pages.
    pub total: i64,
}

impl<T> PageOf<T> {
    pub fn of<V>(page: Page<V>, told: impl FnMut(V) -> T) -> Self {
        let data = page.items.into_iter().map(told).collect();
        Self { data, page: page.number, per_page: page.size, total: page.total }
    }

    /// A page of what is all here already.
    pub fn cut<V>(all: Vec<V>, (page, per_page): (i64, i64), told: impl FnMut(V) -> T) -> Self {
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let (skip, take) = ((page - 1).saturating_mul(per_page), per_page);
        let rows = all.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
        let data = rows.take(usize::try_from(take).unwrap_or(usize::MAX)).map(told).collect();
        Self { data, page, per_page, total }
    }
}

/// A part of a list that grows while it is read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartOf<T> {
    pub data: Vec<T>,
    /// Where the next part begins: send it as `before`. None at the end.
    pub next: Option<String>,
}

/// A key's secret, shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyMade {
    pub id: String,
    pub name: String,
    /// Keep it where your program finds it: it is never shown again.
    pub secret: String,
}

pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}
