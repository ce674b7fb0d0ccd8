//! A place where models are answered, and how it is doing; rendered on the server only.
//!
//! What stands in `data-live` is fetched anew by `forms.js` every few seconds: there is nothing in it to click or to focus.

use crate::wording::{duration, failure, grouped};
use contract::{PlaceHealth, PlaceState, PlaceView};
use leptos::prelude::*;

/// How a place is doing now. `key`: of this page alone, the same as long as it stands for the same place.
#[component]
pub fn Pulse(key: String, place: PlaceView) -> impl IntoView {
    let PlaceView { unavailable, health, .. } = place;
    let (state, trouble) = match (&unavailable, &health) {
        (Some(reason), _) => (format!("Not asked: {reason}"), true),
        (None, Some(health)) => state(health),
        (None, None) => ("Not known yet".to_owned(), false),
    };
    view! {
        <div class="pulse" data-live=key>
            <p class="place-state" data-trouble=trouble.then_some("")>{state}</p>
            {health.filter(has_figures).map(|health| view! { <Figures health /> })}
        </div>
    }
    .into_any()
}

/// In words, and whether somebody should look at it.
fn state(health: &PlaceHealth) -> (String, bool) {
    match health.state {
        PlaceState::Open if health.requests == 0 => ("Takes requests, had none of late".to_owned(), false),
        PlaceState::Open => ("Takes requests".to_owned(), false),
        PlaceState::Resting { seconds } => (format!("Left alone for {seconds} s: it failed again and again"), true),
        PlaceState::Trying => ("Tried again by the next request".to_owned(), true),
        PlaceState::AskedToWait { seconds } => (format!("Asked to wait, {seconds} s more"), true),
    }
}

/// Of a place that nobody asked there is nothing to tell.
fn has_figures(health: &PlaceHealth) -> bool {
    health.requests > 0 || health.last_error.is_some()
}

#[component]
fn Figures(health: PlaceHealth) -> impl IntoView {
    let PlaceHealth { requests, answered, first_words_p50_ms, first_words_p95_ms, tokens_per_second, .. } = health;
    let none = || "–".to_owned();
    let figures = [
        ("Answered", share(answered, requests).unwrap_or_else(none)),
        ("First words, p50", first_words_p50_ms.map_or_else(none, duration)),
        ("First words, p95", first_words_p95_ms.map_or_else(none, duration)),
        ("Tokens a second", tokens_per_second.map_or_else(none, speed)),
    ];
    let figure = |(name, value): (&'static str, String)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let last = health.last_error.map(|error| {
        let about = format!("{}, {}", failure(&error.code), since(error.seconds_ago));
        view! { <div class="figure-wide"><dt>"Last error"</dt><dd><code>{error.code}</code>" "{about}</dd></div> }
    });
    view! { <dl class="figures">{figures.map(figure)}{last}</dl> }
}

/// `98 % of 100`; none of nothing.
fn share(answered: i64, requests: i64) -> Option<String> {
    // Rounded down: what is not all is never shown as all.
    let percent = answered.saturating_mul(100).checked_div(requests)?;
    Some(format!("{percent} % of {}", grouped(requests)))
}

fn speed(tokens: f64) -> String {
    if tokens < 10.0 { format!("{tokens:.1}") } else { grouped(tokens.round() as i64) }
}

fn since(seconds: i64) -> String {
    match seconds {
        i64::MIN..1 => "just now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..=i64::MAX => format!("{} h ago", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_speeds_and_ages_read_well() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(199, 200).as_deref(), Some("99 % of 200"));
        assert_eq!([0, 59, 119, 7_200].map(since), ["just now", "59 s ago", "1 min ago", "2 h ago"]);
        assert_eq!((speed(9.44), speed(1_234.5)), ("9.4".to_owned(), "1,235".to_owned()));
    }
}
