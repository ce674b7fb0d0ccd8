//! `/start/model`: step 2 of the first run, choosing who answers.

use crate::{
    api::first_run::{ModelChoose as Choose, StartView, start},
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
        problem::ProblemPage,
    },
};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn ModelChoose() -> impl IntoView {
    let started = Resource::new_blocking(|| (), |()| start());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match started.await {
                    Ok(start) => Either::Left(view! { <ChooseForm start /> }),
                    Err(refused) => Either::Right(view! { <main><ProblemPage problem=refused.problem /></main> }),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn ChooseForm(start: StartView) -> impl IntoView {
    let local = match start.local_unavailable {
        Some(reason) => format!("Not ready yet: {reason}"),
        None => {
            "SmolLM2 135M runs inside this server. No key, nothing leaves the machine; small, and it shows.".to_owned()
        }
    };
    view! {
        <Entrance title="Choose who answers" step="Step 2 of 2" lead="More providers can be added at any time.">
            <PlainForm to=Choose::PATH class="form choices">
                <fieldset>
                    <legend class="visually-hidden">"Provider"</legend>
                    <Choice value="local" title="The local model" detail=local checked=true />
                    <Choice value="openai" title="OpenAI" detail="With your API key." />
                    <Choice value="anthropic" title="Anthropic" detail="With your API key." />
                </fieldset>
                <div class="choices-key">
                    <Field
                        name="api_key"
                        label="API key"
                        kind="password"
                        autocomplete="off"
                        hint="Tried before it is saved, and sealed under the master key."
                    />
                </div>
                <Submit label="Start chatting" />
            </PlainForm>
        </Entrance>
    }
    .into_any()
}

#[component]
fn Choice(
    value: &'static str,
    title: &'static str,
    #[prop(into)] detail: String,
    #[prop(optional)] checked: bool,
) -> impl IntoView {
    view! {
        <label class="choice">
            <input r#type="radio" name="provider" value=value checked=checked />
            <span>
                <strong>{title}</strong>
                <span>{detail}</span>
            </span>
        </label>
    }
    .into_any()
}
