//! The words of an answer in progress. The server renders Markdown and sends what follows the blocks that are
//! whole, so a selection above the last block lives; words that it has not rendered yet stand at the end as
//! they are.

use contract::{MessageId, RenderedTail};
use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, Node, Text};

fn place(message: MessageId) -> Option<Element> {
    document().get_element_by_id(&format!("message-{message}"))?.query_selector(".prose").ok().flatten()
}

/// Puts `tail` in the place of everything after the blocks that it keeps.
pub fn replace(message: MessageId, tail: &RenderedTail) {
    let Some(place) = place(message) else { return };
    while place.child_element_count() > tail.keep {
        let Some(last) = place.last_element_child() else { break };
        last.remove();
    }
    let _ = place.insert_adjacent_html("beforeend", &tail.html);
}

/// Puts words after the last ones, inside whatever they stand in: a paragraph, a list's item, a block of code.
pub fn append(message: MessageId, words: &str) {
    let last = place(message).and_then(|place| place.last_element_child());
    let Some(mut node) = last.map(Node::from) else { return };
    loop {
        // Between blocks stand line ends, which show nothing.
        let shows =
            |node: &Node| node.has_child_nodes() || node.text_content().is_some_and(|text| !text.trim().is_empty());
        let inner = node
            .last_child()
            .and_then(|last| if shows(&last) { Some(last) } else { last.previous_sibling().or(Some(last)) });
        let Some(inner) = inner else { break drop(node.append_child(&document().create_text_node(words))) };
        if let Some(text) = inner.dyn_ref::<Text>() {
            break drop(text.append_data(words));
        }
        node = inner;
    }
}
