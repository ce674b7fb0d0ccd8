//! Every answer but success: a problem, and how the description tells of it.

use super::super::answer::{self, Reader};
use axum::response::{IntoResponse, Response};
use contract::{Problem, ProblemCode};
use http::{HeaderValue, header};
use platform::IntoProblem;
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder, Type,
        response::Response as Described,
        schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat},
    },
};

/// A problem on its way out.
#[derive(Debug)]
pub(super) struct Refusal(Box<Problem>);

impl<E: IntoProblem> From<E> for Refusal {
    fn from(error: E) -> Self {
        let mut problem = error.into_problem();
        // What the consoles call a short name is a name here.
        for fault in problem.errors.iter_mut().filter(|fault| fault.field == "slug") {
            fault.field = "name".to_owned();
        }
        Self(Box::new(problem))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = answer::problem(&self.0, Reader::Program);
        if self.0.code == ProblemCode::NotSignedIn {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What every operation may say.
pub(super) struct Refused;
/// Said of what is not there, and alike of what is another tenant's.
pub(super) struct Absent;
/// Said where it would break a rule.
pub(super) struct Conflicting;

/// Said where as much is under way as may be.
pub(super) struct Busy;

impl IntoResponses for Busy {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([described(
            "429",
            "As many of these are under way as may be at once; `retry_after` says when to try again",
        )])
    }
}

/// Said of a body that is larger than is taken.
pub(super) struct Oversized;

impl IntoResponses for Oversized {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([described("413", "It is larger than is taken this way; the detail says how to do it instead")])
    }
}

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([
            described("401", "No key, or one that opens nothing: unknown, revoked or expired"),
            described("403", "The key may not do this, or its tenant is suspended; the detail says why"),
            described("422", "Something in the request cannot be used; `errors` names each field"),
        ])
    }
}

impl IntoResponses for Absent {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([described("404", "There is no such thing, or it is another tenant's")])
    }
}

impl IntoResponses for Conflicting {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([described("409", "It would break a rule, such as a name that is taken; the detail says which")])
    }
}

fn described(status: &str, when: &str) -> (String, RefOr<Described>) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description(when).content("application/problem+json", problem).build();
    (status.to_owned(), RefOr::T(response))
}

/// RFC 9457 with our additions; the fields of [`contract::Problem`], as a test makes sure.
pub(super) fn problem_schema() -> ObjectBuilder {
    let text = |what: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(what));
    let whole = |what: &str| {
        let format = SchemaFormat::KnownFormat(KnownFormat::Int32);
        ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).description(Some(what))
    };
    let field = ObjectBuilder::new()
        .property("field", text("Which field of the query or body"))
        .required("field")
        .property("detail", text("What is wrong with it, and what to do"))
        .required("detail");
    ObjectBuilder::new()
        .description(Some("What went wrong, as RFC 9457 has it"))
        .property("code", text("Stable, for programs: `not_found`, `invalid_input`, …"))
        .required("code")
        .property("title", text("The kind of problem in a few words"))
        .required("title")
        .property("status", whole("The HTTP status"))
        .required("status")
        .property("detail", text("What happened, to which thing, and what to do"))
        .required("detail")
        .property("errors", ArrayBuilder::new().items(field))
        .property("trace_id", text("Finds the log lines of a failure of ours"))
        .property("retry_after", whole("Seconds after which trying again makes sense"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::FieldError;

    #[test]
    fn a_problem_is_described_as_it_is() {
        let mut problem = Problem::field("q", "x").retry_after(1).trace_id("t");
        problem.errors.push(FieldError { field: "q".to_owned(), detail: "x".to_owned() });
        let sent = serde_json::to_value(&problem).unwrap();
        let schema = problem_schema().build();
        let mut sent: Vec<_> = sent.as_object().unwrap().keys().map(String::as_str).collect();
        let mut described: Vec<_> = schema.properties.keys().map(String::as_str).collect();
        sent.sort_unstable();
        described.sort_unstable();
        assert_eq!(sent, described);
    }
}
