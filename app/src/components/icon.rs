//! Drawings: the mark and the few icons, as inline SVG in the colour of the text around them.

use leptos::prelude::*;

/// Two edges joined by a row of stitches.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path class="mark-edge" d="M10 3H6a3 3 0 0 0-3 3v12a3 3 0 0 0 3 3h4zM14 3h4a3 3 0 0 1 3 3v12a3 3 0 0 1-3 3h-4z" />
            <path class="mark-stitch" d="M7.5 8.5l9-2M7.5 13l9-2M7.5 17.5l9-2" />
        </svg>
    }
    .into_any()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    Chat,
    Settings,
    Account,
    Team,
    Tenants,
    History,
    New,
    Search,
    Send,
    Stop,
    Copy,
    Again,
    Edit,
    Previous,
    Next,
    Down,
    More,
}

impl Glyph {
    const fn path(self) -> &'static str {
        match self {
            Self::Chat => "M4 5h16v11H10l-4 4v-4H4z",
            Self::Settings => "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
            Self::Account => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
            Self::Team => {
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19c.7-3.6 3.2-5 6.5-5s5.8 1.4 6.5 5M16 4.5a3.3 3.3 0 0 1 0 6M17.5 14.2c2.2.5 3.5 2 4 4.8"
            }
            Self::Tenants => "M4 20V8l6-4v16M10 20V9h10v11zM14 13h2M14 16.5h2",
            Self::History => "M4 6h16M4 12h16M4 18h10",
            Self::New => "M12 5v14M5 12h14",
            Self::Search => "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20 20",
            Self::Send => "M12 19V5M6 11l6-6 6 6",
            Self::Stop => "M7 7h10v10H7z",
            Self::Copy => "M9 9h11v11H9zM5 15H4V4h11v1",
            Self::Again => "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
            Self::Edit => "M5 19l1-4L16.5 4.5l3 3L9 18z",
            Self::Previous => "M14 6l-6 6 6 6",
            Self::Next => "M10 6l6 6-6 6",
            Self::Down => "M6 10l6 6 6-6",
            Self::More => "M5.5 11h1v2h-1zM11.5 11h1v2h-1zM17.5 11h1v2h-1z",
        }
    }
}

#[component]
pub fn Icon(glyph: Glyph) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=glyph.path() />
        </svg>
    }
    .into_any()
}
