//! What a request says: the query and the body, each field known, and every refusal by the field's name.

use super::{
    WebState,
    refusal::Refusal,
    unrepeated::{self, Unreadable},
};
use crate::nearest::hint;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
};
use contract::{Day, ListOrder, ListQuery, NanoUsd, Problem, ProblemCode, Timestamp};
use http::{header, request::Parts};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use std::{fmt, str::FromStr};
use tenancy::TenancyError;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{RefOr, schema::Schema},
};

/// Rows of a page, unless a program asks for another number.
const USUAL: i64 = 50;
const MOST: i64 = 200;
/// So many pages that nobody reads on, and no product of numbers overflows.
const LAST_PAGE: i64 = 1_000_000;
const MOST_CHARS: usize = 200;
/// The end of the year 9999, the last that RFC 3339 can write.
const LAST_MOMENT: i64 = 253_402_300_799_999;
const WHEN: &str = "write milliseconds since 1970, or text such as 2027-01-01T00:00:00Z or 2027-01-01";

/// A query of which every field is known.
pub(super) struct Asked<T>(pub T);

/// A JSON body of which every field is known.
pub(super) struct Sent<T>(pub T);

/// The last part of a path, such as an id.
pub(super) struct Named(pub String);

impl<T: DeserializeOwned + IntoParams> FromRequestParts<WebState> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &WebState) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let known: Vec<String> = T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
        let given: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|error| Problem::new(ProblemCode::InvalidInput, format!("The query cannot be read: {error}.")))?;
        for (name, value) in &given {
            require_known("query parameter", name, &known)?;
            if given.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(Problem::field(name, format!("“{name}” stands in the query more than once.")).into());
            }
            if value.chars().count() > MOST_CHARS {
                return Err(Problem::field(name, format!("“{name}” has more than {MOST_CHARS} characters.")).into());
            }
        }
        let read = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(form(query)));
        Ok(Self(read.map_err(|error| unusable(&error.path().to_string(), error.inner()))?))
    }
}

fn form(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

impl<T: DeserializeOwned + ToSchema> FromRequest<WebState> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Refusal> {
        let unreadable = |detail: String| Problem::new(ProblemCode::InvalidInput, detail);
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
        if media.is_none_or(|media| !media.trim_start().starts_with("application/json")) {
            let detail = "Send the body as JSON and say so: “Content-Type: application/json”.";
            return Err(unreadable(detail.to_owned()).into());
        }
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| unreadable("The request did not arrive whole. Send it again.".to_owned()))?;
        let value = unrepeated::read(&body).map_err(|why| match why {
            Unreadable::Syntax(said) => unreadable(format!("The body is no JSON: {said}.")),
            Unreadable::Repeated(name) => {
                let shown: String = name.chars().take(60).collect();
                Problem::field(&shown, format!("“{shown}” stands in the body more than once."))
            }
        })?;
        let fields = value.as_object().ok_or_else(|| unreadable("The body must be a JSON object: {…}.".to_owned()))?;
        let known = properties::<T>();
        require_all_known(fields.keys(), &known)?;
        let read = serde_path_to_error::deserialize(value);
        Ok(Self(read.map_err(|error| unusable(&error.path().to_string(), error.inner()))?))
    }
}

impl FromRequestParts<WebState> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Refusal> {
        let Ok(Path(name)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(absent("such thing"));
        };
        Ok(Self(name))
    }
}

impl Named {
    /// An id; what is none names nothing, and is answered like one that names nothing.
    pub fn id<T: FromStr>(&self, what: &str) -> Result<T, Refusal> {
        self.0.parse().map_err(|_| absent(what))
    }
}

fn absent(what: &str) -> Refusal {
    TenancyError::NotFound { what: what.to_owned() }.into()
}

fn properties<T: ToSchema>() -> Vec<String> {
    if let RefOr::T(Schema::Object(object)) = T::schema() {
        object.properties.into_keys().collect()
    } else {
        Vec::new()
    }
}

/// Every field that is not known, not the first alone: whoever wrote them mends them all at once.
fn require_all_known<'f>(fields: impl Iterator<Item = &'f String>, known: &[String]) -> Result<(), Problem> {
    let unknown = fields.filter_map(|name| require_known("field", name, known).err());
    let all = unknown.reduce(|mut all, next| {
        all.errors.extend(next.errors);
        all
    });
    all.map_or(Ok(()), Err)
}

fn require_known(what: &str, name: &str, known: &[String]) -> Result<(), Problem> {
    if known.iter().any(|one| one == name) {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    let near = hint(name, known.iter().map(String::as_str));
    let near = if near.is_empty() { ".".to_owned() } else { near };
    let known =
        if known.is_empty() { "There are none here".to_owned() } else { format!("Known: {}", known.join(", ")) };
    Err(Problem::field(&shown, format!("There is no {what} “{shown}”{near} {known}.")))
}

fn unusable(path: &str, error: &dyn fmt::Display) -> Problem {
    let said = error.to_string();
    match missing(&said) {
        Some(field) => Problem::field(field, format!("“{field}” is missing; add it.")),
        None if path == "." => Problem::new(ProblemCode::InvalidInput, format!("The request cannot be used: {said}.")),
        None if is_of_whole_number(&said) => {
            Problem::field(path, format!("“{path}” is a whole number, at most {}.", i64::MAX))
        }
        None => Problem::field(path, format!("“{path}”: {said}.")),
    }
}

/// Whether an error of reading tells of what no `i64` is: it speaks of types that senders know nothing of.
fn is_of_whole_number(said: &str) -> bool {
    let of_text = ["invalid digit found", "number too large", "number too small", "cannot parse integer"];
    said.contains("i64") || of_text.iter().any(|begin| said.starts_with(begin))
}

/// The field that serde misses, which it tells in its sentence only.
fn missing(said: &str) -> Option<&str> {
    said.strip_prefix("missing field `")?.split('`').next()
}

/// Which page of how many rows.
pub(super) fn window(page: Option<i64>, per_page: Option<i64>) -> Result<(i64, i64), Problem> {
    let bounded = |name: &str, value: i64, most: i64| {
        if (1..=most).contains(&value) {
            return Ok(value);
        }
        Err(Problem::field(name, format!("“{name}” is a whole number from 1 to {most}.")))
    };
    Ok((bounded("page", page.unwrap_or(1), LAST_PAGE)?, bounded("per_page", per_page.unwrap_or(USUAL), MOST)?))
}

/// Words to look for, and an order.
pub(super) fn list_query(words: Option<String>, page: i64, sort: Option<&str>) -> Result<ListQuery, Problem> {
    let order = sort.map(|sort| parsed::<ListOrder>("sort", sort)).transpose()?;
    Ok(ListQuery { words: words.unwrap_or_default(), page, order: order.unwrap_or_default() })
}

/// Text that must be one of our types.
pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::field(field, format!("“{field}”: {error}")))
}

/// Dollars as decimal text.
pub(super) fn dollars(field: &str, text: Option<&str>) -> Result<Option<NanoUsd>, Problem> {
    text.map(|text| parsed(field, text)).transpose()
}

/// A moment as RFC 3339, as a day of UTC, or as milliseconds since 1970.
pub(super) fn moment(field: &str, text: &str) -> Result<Timestamp, Problem> {
    let day = || {
        let midnight = text.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight());
        jiff::tz::TimeZone::UTC.to_timestamp(midnight).ok()
    };
    if let Ok(millis) = text.parse() {
        return Ok(Timestamp::from_millis(millis));
    }
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(day);
    moment.map(|moment| Timestamp::from_millis(moment.as_millisecond())).ok_or_else(|| {
        let detail = format!("“{field}” is a moment such as 2026-01-01T00:00:00Z, or a day such as 2026-01-01.");
        Problem::field(field, detail)
    })
}

/// When something ends, in a body: milliseconds since 1970, as answers have them, RFC 3339, or a day of UTC with whose
/// last moment it ends.
#[derive(Debug, ToSchema)]
#[schema(as = Moment)]
#[serde(untagged)]
pub(super) enum Moment {
    Millis(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(given)?;
        let known = value.as_i64().map(Self::Millis).or_else(|| value.as_str().map(|text| Self::Text(text.to_owned())));
        known.ok_or_else(|| D::Error::custom(WHEN))
    }
}

impl Moment {
    pub fn end(&self, field: &str) -> Result<Timestamp, Problem> {
        let end = match self {
            Self::Millis(millis) => Timestamp::from_millis(*millis),
            Self::Text(text) => match text.parse::<Day>() {
                Ok(day) => day.end(),
                Err(_) => moment(field, text)?,
            },
        };
        if end.as_millis() > LAST_MOMENT {
            return Err(Problem::field(field, format!("“{field}” lies after the year 9999; leave it out for no end.")));
        }
        Ok(end)
    }
}

/// Tells a field that is null from one that is absent.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(given: D) -> Result<Option<T>, D::Error> {
    T::deserialize(given).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_in_three_spellings() {
        for text in ["2026-01-01T00:00:00Z", "2026-01-01", "1767225600000", "2026-01-01T01:00:00+01:00"] {
            assert_eq!(moment("from", text).unwrap().as_millis(), 1_767_225_600_000, "{text}");
        }
        let refused = moment("from", "yesterday").unwrap_err();
        assert_eq!(refused.errors.first().map(|error| error.field.as_str()), Some("from"));
    }

    #[test]
    fn what_ends_with_a_day_ends_with_its_last_moment() {
        let end = |value: serde_json::Value| serde_json::from_value::<Moment>(value).unwrap().end("expires_at");
        assert_eq!(end("2026-01-01".into()).unwrap().as_millis(), 1_767_311_999_999);
        assert_eq!(end("2026-01-01T00:00:00Z".into()).unwrap().as_millis(), 1_767_225_600_000);
        assert_eq!(end(1_767_225_600_000_i64.into()).unwrap().as_millis(), 1_767_225_600_000);
        assert!(end(i64::MAX.into()).unwrap_err().detail.contains("9999"));
        for wrong in [serde_json::json!(true), serde_json::json!(1.5), serde_json::json!(9e18), serde_json::json!([])] {
            let said = serde_json::from_value::<Moment>(wrong).unwrap_err().to_string();
            assert_eq!(said, WHEN);
        }
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(window(None, None).unwrap(), (1, USUAL));
        for (page, per_page) in [(Some(0), None), (None, Some(0)), (None, Some(MOST + 1)), (Some(i64::MAX), None)] {
            assert!(window(page, per_page).is_err(), "{page:?} {per_page:?}");
        }
    }
}
