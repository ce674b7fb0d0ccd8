//! A path that leads nowhere. Who is signed in finds the way on in the frame.

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
    #[cfg(feature = "ssr")]
    if crate::api::context::visitor().is_some() {
        return view! {
            <crate::components::frame::Frame>
                <main class="main" id="main" tabindex="-1"><ProblemPage problem /></main>
            </crate::components::frame::Frame>
        }
        .into_any();
    }
    view! {
        <main id="main">
            <ProblemPage problem />
        </main>
    }
    .into_any()
}
