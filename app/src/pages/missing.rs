//! A path that leads nowhere.

use crate::components::problem::ProblemPage;
use contract::{Problem, ProblemCode};
use leptos::prelude::*;

#[component]
pub fn MissingShow() -> impl IntoView {
    let problem = Problem::new(ProblemCode::NotFound, "There is no page at this address. It may have moved.");
    #[cfg(feature = "ssr")]
    crate::api::context::status_set(&problem);
    // In the browser: a page that the program does not know is fetched from the server.
    #[cfg(not(feature = "ssr"))]
    Effect::new(|_| drop(window().location().reload()));
    view! {
        <main id="main">
            <ProblemPage problem />
        </main>
    }
    .into_any()
}
