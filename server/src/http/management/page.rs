//! `GET /api/docs`: the description for people. Plain HTML in the house style, readable without any script.
//!
//! It is made from the same document as `/api/openapi.json`, so it cannot tell anything else.

use super::{
    super::{answer::escaped, assets},
    WebState, document,
};
use axum::{extract::State, response::Html};
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};
use utoipa::openapi::{OpenApi, RefOr, path::Operation, schema::Schema};

pub(super) async fn html(State(state): State<WebState>) -> ([(header::HeaderName, HeaderValue); 1], Html<String>) {
    // It names files of this version of the program, so it is asked for again each time.
    let revalidated = [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    (revalidated, Html(page(&state.settings().public_url.to_string())))
}

/// The fields of every object that has a name, in their own order.
fn orders(document: &OpenApi) -> BTreeMap<String, Vec<String>> {
    let schemas = document.components.iter().flat_map(|components| &components.schemas);
    let objects = schemas.filter_map(|(name, schema)| {
        let RefOr::T(Schema::Object(object)) = schema else { return None };
        Some((name.clone(), object.properties.keys().cloned().collect()))
    });
    objects.collect()
}

/// What a field means; that of a choice may stand with one of those to choose from.
fn described(field: &Value) -> &str {
    let choices = field.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let mut said = std::iter::once(field).chain(choices).filter_map(|one| one.get("description")?.as_str());
    said.next().unwrap_or_default()
}

/// One operation, as the page tells it.
struct Told {
    method: Method,
    path: String,
    tag: String,
    /// The operation as JSON: what is in it is looked up by name.
    operation: Value,
}

impl Told {
    fn of(method: Method, path: &str, operation: &Operation) -> Self {
        let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
        let operation = serde_json::to_value(operation).unwrap_or_default();
        Self { method, path: path.to_owned(), tag, operation }
    }

    /// Such as `get-members-id`.
    fn anchor(&self) -> String {
        document::name(&self.method, &self.path)
    }

    fn text(&self, field: &str) -> &str {
        self.operation.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn opened_by(&self, scheme: &str) -> bool {
        let security = self.operation.get("security").and_then(Value::as_array);
        security.into_iter().flatten().any(|one| one.get(scheme).is_some())
    }

    fn who(&self) -> &'static str {
        match (self.opened_by("operator_key"), self.opened_by("tenant_key")) {
            (true, true) => "An operator’s key, or a tenant’s key with manage for its own tenant.",
            (true, false) => "An operator’s key.",
            (false, _) => "The person whose answer it is, with their session.",
        }
    }
}

/// The document, and in which order the fields of its schemas were written down: JSON forgets it.
struct Document(Value, BTreeMap<String, Vec<String>>);

impl Document {
    fn followed<'v>(&'v self, schema: &'v Value) -> &'v Value {
        let name = schema.get("$ref").and_then(Value::as_str);
        name.and_then(|name| self.0.pointer(name.trim_start_matches('#'))).unwrap_or(schema)
    }

    /// Such as “text”, “whole number or null”, “list of Member”.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return match name.rsplit('/').next().unwrap_or_default() {
                "Moment" => "whole number or text".to_owned(),
                name => name.split('_').next_back().unwrap_or_default().to_owned(),
            };
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(choice).and_then(Value::as_array) {
                let kinds: Vec<_> = choices.iter().map(|one| self.kind(one)).collect();
                return kinds.join(" or ");
            }
        }
        let word = |kind: &str| match kind {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => format!("list of {}", self.kind(schema.get("items").unwrap_or(&Value::Null))),
            other => other.to_owned(),
        };
        match schema.get("type") {
            Some(Value::String(kind)) => word(kind),
            Some(Value::Array(kinds)) => {
                let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).map(word).collect();
                kinds.join(" or ")
            }
            _ => "anything".to_owned(),
        }
    }

    /// The fields of an object, each with whether it must be there.
    fn fields<'v>(&'v self, schema: &'v Value) -> Vec<(&'v str, &'v Value, bool)> {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
        let order = reference.and_then(|name| self.1.get(name));
        let schema = self.followed(schema);
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut fields: Vec<_> =
            properties.map(|(name, field)| (name.as_str(), field, required.contains(&name.as_str()))).collect();
        fields.sort_by_key(|(name, ..)| order.and_then(|order| order.iter().position(|one| one == name)));
        fields
    }

    /// A body with which the operation could be tried.
    fn example(&self, schema: &Value) -> Value {
        let fields = self.fields(schema).into_iter();
        let shown = fields.filter(|(_, field, required)| *required || field.get("example").is_some());
        Value::Object(shown.map(|(name, field, _)| (name.to_owned(), self.sample(field))).collect())
    }

    fn sample(&self, field: &Value) -> Value {
        if let Some(example) = field.get("example") {
            return example.clone();
        }
        match self.kind(field).split(' ').next() {
            Some("true") => Value::Bool(true),
            Some("whole") => Value::from(1),
            _ => Value::from("…"),
        }
    }
}

fn page(address: &str) -> String {
    let document = super::document();
    let mut operations: Vec<Told> = Vec::new();
    for (path, item) in &document.paths.paths {
        operations.extend(document::operations(item).map(|(method, operation)| Told::of(method, path, operation)));
    }
    let order = orders(&document);
    let document = Document(serde_json::to_value(&document).unwrap_or_default(), order);
    let tags: Vec<(String, String)> =
        document.0.get("tags").and_then(Value::as_array).into_iter().flatten().map(tag).collect();
    let (mut list, mut body) = (String::new(), String::new());
    for (tag, what) in &tags {
        let of_tag: Vec<_> = operations.iter().filter(|told| told.tag == *tag).collect();
        let _ = write!(list, "<li><a href=\"#{}\">{}</a><ul>", slug(tag), escaped(tag));
        let _ =
            write!(body, "<section id=\"{}\"><h2>{}</h2><p class=\"lead\">{}</p>", slug(tag), escaped(tag), code(what));
        for told in of_tag {
            let _ = write!(list, "<li><a href=\"#{}\">{}</a></li>", told.anchor(), escaped(told.text("summary")));
            article(&mut body, &document, told, address);
        }
        list.push_str("</ul></li>");
        body.push_str("</section>");
    }
    let introduction = document.0.pointer("/info/description").and_then(Value::as_str).unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Management API · Seam</title>\
         <link rel=\"icon\" href=\"{icon}\"><link rel=\"stylesheet\" href=\"{css}\"></head><body class=\"api-docs\">\
         <a class=\"skip\" href=\"#content\">Skip to content</a>\
         <nav class=\"api-index\" aria-label=\"Operations\"><p class=\"api-home\"><a href=\"/\">Seam</a></p>\
         <details class=\"api-toggle\"><summary>All operations</summary></details><ul>{list}</ul></nav>\
         <main id=\"content\" tabindex=\"-1\"><header><h1>Management API</h1><p class=\"lead\">{introduction}</p>\
         <p>Send your key with each request: <code>Authorization: Bearer sk-seam-…</code></p>\
         <p>{operator_key} {tenant_key} A session opens nothing here. What went wrong is told as <a href=\"#problem\">a problem</a>.</p>\
         <p>For programs: <a href=\"/api/openapi.json\">openapi.json</a> (OpenAPI 3.1, version {version}).</p></header>\
         {body}<section id=\"problem\"><h2>Problems</h2><p class=\"lead\">Every answer but success is \
         <code>application/problem+json</code>, with these fields.</p>{problem}</section></main></body></html>\n",
        icon = assets::names().icon,
        css = assets::names().css,
        introduction = escaped(introduction),
        operator_key = scheme(&document, "operator_key"),
        tenant_key = scheme(&document, "tenant_key"),
        version = env!("CARGO_PKG_VERSION"),
        problem = fields(&document, &json!({ "$ref": "#/components/schemas/Problem" }), true),
    )
}

fn tag(tag: &Value) -> (String, String) {
    let text = |field: &str| tag.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("name"), text("description"))
}

fn scheme(document: &Document, name: &str) -> String {
    let described = document.0.pointer(&format!("/components/securitySchemes/{name}/description"));
    let text = described.and_then(Value::as_str).unwrap_or_default();
    if text.ends_with('.') { code(text) } else { format!("{}.", code(text)) }
}

fn article(page: &mut String, document: &Document, told: &Told, address: &str) {
    let (anchor, method) = (told.anchor(), told.method.as_str());
    let _ = write!(
        page,
        "<article id=\"{anchor}\"><h3><a href=\"#{anchor}\">{}</a></h3>\
         <p class=\"api-line\"><span class=\"api-method\">{method}</span> <code>{}</code></p>",
        escaped(told.text("summary")),
        breakable(&told.path)
    );
    if !told.text("description").is_empty() {
        let _ = write!(page, "<p>{}</p>", code(told.text("description")));
    }
    let _ = write!(page, "<p class=\"api-who\"><b>Who may:</b> {}</p>", told.who());
    parameters(page, told);
    let media = told.operation.pointer("/requestBody/content/application~1json");
    let schema = media.and_then(|media| media.get("schema"));
    if let Some(schema) = schema {
        let _ = write!(page, "<h4>Body</h4>{}", fields(document, schema, false));
    }
    if let Some(sent) = told.operation.pointer("/requestBody/description").and_then(Value::as_str) {
        let _ = write!(page, "<h4>Body</h4><p>{}.</p>", code(sent.trim_end_matches('.')));
    }
    let example = curl(told, schema.map(|schema| document.example(schema)).as_ref(), address);
    let _ =
        write!(page, "<h4>Example</h4><pre tabindex=\"0\"><code>{}</code></pre><h4>Answers</h4>", escaped(&example));
    responses(page, document, told);
    page.push_str("</article>");
}

fn parameters(page: &mut String, told: &Told) {
    let parameters: Vec<_> = told.operation.get("parameters").and_then(Value::as_array).into_iter().flatten().collect();
    if parameters.is_empty() {
        return;
    }
    page.push_str("<h4>Parameters</h4><dl class=\"api-fields\">");
    for parameter in parameters {
        let text = |field: &str| parameter.get(field).and_then(Value::as_str).unwrap_or_default();
        let place = if text("in") == "path" { "in the address" } else { "in the query" };
        let _ = write!(
            page,
            "<dt><code>{}</code> <small>{place}</small></dt><dd>{}</dd>",
            escaped(text("name")),
            code(text("description"))
        );
    }
    page.push_str("</dl>");
}

/// The fields of an object. What is always sent needs no word; what must be sent does.
fn fields(document: &Document, schema: &Value, answered: bool) -> String {
    let mut list = String::from("<dl class=\"api-fields\">");
    for (name, field, required) in document.fields(schema) {
        let must = if required && !answered { ", required" } else { "" };
        let said = described(field);
        let kind = document.kind(field);
        let _ = write!(
            list,
            "<dt><code>{}</code> <small>{}{must}</small></dt><dd>{}</dd>",
            escaped(name),
            escaped(&kind),
            code(said)
        );
        let items = field.get("items").filter(|items| !document.fields(items).is_empty());
        // An object, or one that may be null.
        let choices = field.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let object = std::iter::once(field).chain(choices).find(|one| one.get("$ref").is_some());
        let inner = items.or(object);
        if let Some(inner) = inner.filter(|inner| !document.fields(inner).is_empty()) {
            let _ = write!(list, "<dd class=\"api-inner\">{}</dd>", fields(document, inner, answered));
        }
    }
    list.push_str("</dl>");
    list
}

fn responses(page: &mut String, document: &Document, told: &Told) {
    let responses = told.operation.get("responses").and_then(Value::as_object);
    page.push_str("<dl class=\"api-answers\">");
    let mut shape = None;
    for (status, response) in responses.into_iter().flatten() {
        let said = response.get("description").and_then(Value::as_str).unwrap_or_default();
        let _ = write!(page, "<dt>{status}</dt><dd>{}</dd>", code(said));
        if status.starts_with('2') {
            shape = response.pointer("/content/application~1json/schema");
        }
    }
    page.push_str("</dl>");
    if let Some(shape) = shape {
        let _ =
            write!(page, "<details><summary>Fields of the answer</summary>{}</details>", fields(document, shape, true));
    }
}

/// How a person would try it, with the key in a variable and a stand-in for every id.
fn curl(told: &Told, body: Option<&Value>, address: &str) -> String {
    let named = match told.path.trim_start_matches("/api/v1/").split('/').next() {
        Some("plans") => "pro",
        Some("domains") => "acme.test",
        _ => "acme",
    };
    let path = told.path.replace("{name}", named).replace("{id}", "ID");
    let parameters = told.operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let query: Vec<String> = parameters
        .filter(|parameter| parameter.get("in").and_then(Value::as_str) == Some("query"))
        .filter_map(|parameter| {
            let name = parameter.get("name").and_then(Value::as_str)?;
            let required = parameter.get("required").and_then(Value::as_bool) == Some(true);
            (name == "tenant" || required).then(|| format!("{name}=acme"))
        })
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut command = "curl".to_owned();
    if told.method != Method::GET {
        let _ = write!(command, " -X {}", told.method);
    }
    let _ = write!(command, " '{}{path}{query}'", address.trim_end_matches('/'));
    let credential =
        if told.opened_by("operator_key") { "Authorization: Bearer $SEAM_KEY" } else { "Cookie: $SEAM_SESSION" };
    let _ = write!(command, " \\\n  -H \"{credential}\"");
    if let Some(body) = body {
        let _ = write!(command, " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'");
    }
    let is_file = |pointer: &str| told.operation.pointer(pointer).is_some();
    if is_file("/requestBody/content/application~1octet-stream") {
        command.push_str(" \\\n  -T acme.seam");
    }
    if is_file("/responses/200/content/application~1octet-stream") {
        command.push_str(" \\\n  -o acme.seam");
    }
    command
}

/// Escaped, with `…` as code.
fn code(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escaped(part);
        let _ = if index % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    html.replace("\n\n", "<br>")
}

/// An address may break after a slash.
fn breakable(path: &str) -> String {
    escaped(path).replace('/', "/<wbr>")
}

fn slug(text: &str) -> String {
    text.to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_place_of_its_own_and_is_linked_once() {
        let page = page("http://seam.test");
        for (method, path) in super::super::management_routes() {
            let told = Told { method, path, tag: String::new(), operation: Value::Null };
            let anchor = told.anchor();
            assert_eq!(page.matches(&format!("id=\"{anchor}\"")).count(), 1, "{anchor}");
            assert_eq!(page.matches(&format!("<li><a href=\"#{anchor}\">")).count(), 1, "{anchor}");
        }
        assert!(!page.contains("<script") && !page.contains(" style="));
    }

    #[test]
    fn an_example_is_a_whole_command() {
        let page = page("http://seam.test");
        let example = "curl -X POST &#39;http://seam.test/api/v1/invitations?tenant=acme&#39; \\\n  \
                       -H &quot;Authorization: Bearer $SEAM_KEY&quot; \\\n  -H &#39;Content-Type: application/json&#39; \\\n  \
                       -d &#39;{&quot;email&quot;:&quot;carol@acme.test&quot;,&quot;role&quot;:&quot;member&quot;}&#39;";
        assert!(page.contains(example), "{page}");
    }
}
