//! What the router answers, from the router itself: its own description of its paths and methods.

use axum::Router;
use std::collections::{BTreeMap, BTreeSet};

const METHODS: [&str; 7] = ["get", "delete", "patch", "post", "put", "options", "trace"];

/// `GET /path` for each route; `ANY /path` where every method is answered. Paths are axum's: `{id}`.
pub fn of(router: &Router) -> BTreeSet<String> {
    let told = format!("{router:?}");
    let mut found = BTreeSet::new();
    // Its routes by number, then the path of each number. The fallback has a router of its own, which is left out.
    let (_, own) = told.split_once("PathRouter { routes: ").expect("axum tells its routes differently now");
    let (own, _) = own.split_once("fallback_router:").expect("axum tells its fallback differently now");
    let (routes, node) = own.split_once("node: Node {").expect("axum tells its paths differently now");
    let paths: BTreeMap<u64, String> = numbered(node).collect();
    for (number, told) in numbered_routes(routes) {
        let path = paths.get(&number).expect("a route without a path");
        found.extend(methods(&told).into_iter().map(|method| format!("{method} {path}")));
    }
    found
}

/// `RouteId(3): "/path"`.
fn numbered(text: &str) -> impl Iterator<Item = (u64, String)> + '_ {
    text.split("RouteId(").skip(1).filter_map(|part| {
        let (number, rest) = part.split_once("): \"")?;
        Some((number.parse().ok()?, rest.split_once('"')?.0.to_owned()))
    })
}

/// `RouteId(3): MethodRouter(MethodRouter { get: …, … })`.
fn numbered_routes(text: &str) -> impl Iterator<Item = (u64, String)> + '_ {
    text.split("RouteId(").skip(1).filter_map(|part| {
        let (number, rest) = part.split_once("): ")?;
        Some((number.parse().ok()?, rest.to_owned()))
    })
}

fn methods(told: &str) -> Vec<String> {
    let answered =
        |method: &&&str| told.contains(&format!(" {method}: ")) && !told.contains(&format!(" {method}: None"));
    let answered: Vec<_> = METHODS.iter().filter(answered).map(|method| method.to_uppercase()).collect();
    // `any` answers no method by name and all of them by the route's own fallback.
    if answered.is_empty() && !told.contains("fallback: Default(") { vec!["ANY".to_owned()] } else { answered }
}

#[test]
fn a_router_tells_its_routes() {
    use axum::routing::{any, get};
    let router = Router::new()
        .route("/one", get(|| async {}).post(|| async {}))
        .route("/two/{id}", any(|| async {}))
        .layer(axum::middleware::from_fn(async |request, next: axum::middleware::Next| next.run(request).await))
        .merge(Router::new().route("/three", axum::routing::delete(|| async {})));
    let told: Vec<_> = of(&router).into_iter().collect();
    assert_eq!(told, ["ANY /two/{id}", "DELETE /three", "GET /one", "POST /one"]);
}
