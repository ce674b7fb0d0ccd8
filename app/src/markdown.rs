//! Markdown of a model's answer to HTML that is safe to insert. Runs on the server alone: the browser gets
//! HTML, with the page or while an answer grows, and carries no parser (docs/adr/0006).
//!
//! A model's words are untrusted input. What always holds, and the property test below checks: only the
//! elements and attributes named there come out; raw HTML comes out as the text it was; nothing loads by
//! itself (an image becomes a link that somebody may follow); links lead to http, https or mail and hand
//! over neither window nor rank. Inline styles never occur, so the content security policy forbids them.

use crate::escape::escaped;
use contract::RenderedTail;
use pulldown_cmark::{Alignment, CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::fmt;

/// HTML of this size is not looked at twice.
const MOST_HTML: usize = 64 * 1024;
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// Renders Markdown. Half of a text renders as far as it goes, which is what a stream needs.
pub fn to_html(text: &str) -> String {
    formatted(text).unwrap_or_else(|| as_it_is(text))
}

/// None: it would become far more than it is. A table of empty cells and quotes within quotes grow twentyfold.
fn formatted(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    let most = MOST_HTML.max(text.len().saturating_mul(4));
    html::write_html_fmt(Bounded { out: &mut out, most }, Safe::new(Parser::new_ext(text, OPTIONS))).ok()?;
    Some(out)
}

fn as_it_is(text: &str) -> String {
    format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escaped(text))
}

/// Refuses what goes beyond a size.
struct Bounded<'o> {
    out: &'o mut String,
    most: usize,
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.out.len() + text.len() > self.most {
            return Err(fmt::Error);
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// Where each block of a text begins. A block becomes one element. What stands before the last one renders
/// the same whatever follows, but for links that are defined later.
fn blocks(text: &str) -> Vec<usize> {
    let (mut depth, mut starts) = (0u32, Vec::new());
    for (event, range) in Parser::new_ext(text, OPTIONS).into_offset_iter() {
        if depth == 0 {
            // A block begins with its line: indentation belongs to it.
            let before = text.get(..range.start).unwrap_or_default();
            starts.push(before.rfind('\n').map_or(0, |line_end| line_end + 1));
        }
        if matches!(event, Event::Start(_)) {
            depth += 1;
        } else if matches!(event, Event::End(_)) {
            depth = depth.saturating_sub(1);
        }
    }
    starts
}

/// An answer in progress, rendered as far as it has come, each block that is whole once.
#[derive(Debug, Default)]
pub struct Growing {
    text: String,
    /// So many bytes are settled, and so many blocks are what they became.
    settled: usize,
    kept: u32,
}

impl Growing {
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What follows the blocks that were settled by an earlier call. The first call gives all there is.
    pub fn tail(&mut self) -> RenderedTail {
        let open = self.text.get(self.settled..).unwrap_or_default();
        let Some(html) = formatted(open) else {
            // Then all of it is shown as it is, as a reload would.
            return RenderedTail { keep: 0, html: as_it_is(&self.text) };
        };
        let tail = RenderedTail { keep: self.kept, html };
        // A line that is not whole yet may still turn out to go on with what stands above it.
        let (lines, _) = open.split_at(open.rfind('\n').map_or(0, |line_end| line_end + 1));
        let starts = blocks(lines);
        if let Some((last, whole)) = starts.split_last() {
            self.settled += last;
            self.kept += u32::try_from(whole.len()).unwrap_or(u32::MAX);
        }
        tail
    }

    /// The end of an answer that is over, which then stands as a reload would show it. A link may have been
    /// defined below its use, and what is out of proportion is a matter of the whole: then all of it again.
    pub fn end(mut self) -> RenderedTail {
        let whole = formatted(&self.text);
        let open = self.text.get(self.settled..).unwrap_or_default();
        match whole {
            Some(_) if !self.text.contains("]:") && formatted(open).is_some() => self.tail(),
            whole => RenderedTail { keep: 0, html: whole.unwrap_or_else(|| as_it_is(&self.text)) },
        }
    }
}

/// Turns the parser's events into ones that render safely.
struct Safe<'a, P> {
    events: P,
    /// Whether each open link or image was let through, innermost last.
    links: Vec<bool>,
    code: Option<CodeBlock<'a>>,
}

struct CodeBlock<'a> {
    language: CowStr<'a>,
    text: String,
}

impl<'a, P: Iterator<Item = Event<'a>>> Safe<'a, P> {
    fn new(events: P) -> Self {
        Self { events, links: Vec::new(), code: None }
    }

    /// Opens a link, unless it leads somewhere unsafe or stands inside another one.
    fn open(&mut self, destination: &str, label: &str) -> Event<'a> {
        let shown = !self.links.contains(&true) && leads_somewhere_safe(destination);
        self.links.push(shown);
        let label = if label.is_empty() { String::new() } else { format!("{label} ") };
        if shown {
            let href = escaped(destination);
            inline(format!("<a href=\"{href}\" target=\"_blank\" rel=\"noopener nofollow\">{label}"))
        } else {
            inline(label)
        }
    }

    fn close(&mut self) -> Event<'a> {
        inline(if self.links.pop() == Some(true) { "</a>".to_owned() } else { String::new() })
    }

    // The parser's enum, not ours: what is not named here passes as it is.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn start(&mut self, tag: Tag<'a>) -> Event<'a> {
        match tag {
            Tag::Link { dest_url, .. } => self.open(&dest_url, ""),
            Tag::Image { dest_url, .. } => self.open(&dest_url, "image:"),
            Tag::CodeBlock(kind) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info,
                    CodeBlockKind::Indented => "".into(),
                };
                self.code = Some(CodeBlock { language, text: String::new() });
                inline(String::new())
            }
            // The page has its own headings above an answer's.
            Tag::Heading { level, .. } => {
                Event::Start(Tag::Heading { level: lowered(level), id: None, classes: Vec::new(), attrs: Vec::new() })
            }
            // Alignment would be an inline style.
            Tag::Table(columns) => Event::Start(Tag::Table(vec![Alignment::None; columns.len()])),
            Tag::HtmlBlock => Event::Start(Tag::Paragraph),
            other => Event::Start(other),
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn end(&mut self, tag: TagEnd) -> Event<'a> {
        match tag {
            TagEnd::Link | TagEnd::Image => self.close(),
            TagEnd::CodeBlock => Event::Html(self.code.take().map(rendered).unwrap_or_default().into()),
            TagEnd::Heading(level) => Event::End(TagEnd::Heading(lowered(level))),
            TagEnd::HtmlBlock => Event::End(TagEnd::Paragraph),
            other => Event::End(other),
        }
    }
}

impl<'a, P: Iterator<Item = Event<'a>>> Iterator for Safe<'a, P> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let event = self.events.next()?;
        Some(match (event, &mut self.code) {
            (Event::Text(text), Some(code)) => {
                code.text.push_str(&text);
                inline(String::new())
            }
            (Event::Start(tag), _) => self.start(tag),
            (Event::End(tag), _) => self.end(tag),
            (Event::Html(raw) | Event::InlineHtml(raw), _) => Event::Text(raw),
            (other, _) => other,
        })
    }
}

fn inline<'a>(html: String) -> Event<'a> {
    Event::InlineHtml(html.into())
}

fn rendered(code: CodeBlock<'_>) -> String {
    let language: String = code.language.split([' ', ',', '{']).next().unwrap_or("").chars().take(24).collect();
    let label = if language.is_empty() { "text".to_owned() } else { escaped(&language) };
    let text = escaped(&code.text);
    format!(
        "<div class=\"code\"><div class=\"code-head\"><span>{label}</span>\
         <button type=\"button\" class=\"code-copy\" data-copy>Copy</button></div>\
         <pre tabindex=\"0\"><code>{text}</code></pre></div>\n"
    )
}

fn lowered(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// Whether a link may be followed: an absolute http, https or mail address without control characters.
fn leads_somewhere_safe(destination: &str) -> bool {
    let schemes = ["https://", "http://", "mailto:"];
    let starts = |scheme: &str| destination.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    schemes.into_iter().any(starts) && !destination.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prose_lists_tables_and_code_render() {
        assert_eq!(to_html("Hi **there**"), "<p>Hi <strong>there</strong></p>\n");
        assert_eq!(to_html("# Big"), "<h3>Big</h3>\n");
        assert!(to_html("- a\n- b").contains("<li>a</li>"));
        let table = to_html("|a|b|\n|:-|-:|\n|1|2|");
        assert!(table.contains("<td>2</td>") && !table.contains("style"), "{table}");
        let code = to_html("```rust\nlet a = \"<b>\";\n```");
        assert!(code.contains("<span>rust</span>") && code.contains("let a = &quot;&lt;b&gt;&quot;;"), "{code}");
    }

    #[test]
    fn a_fence_that_is_still_open_renders_as_far_as_it_goes() {
        assert!(to_html("Look:\n```py\nprint(1").contains("print(1"));
    }

    #[test]
    fn raw_html_is_shown_as_text() {
        assert_eq!(to_html("a <img src=x onerror=alert(1)> b"), "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>\n");
        assert!(to_html("<script>alert(1)</script>").starts_with("<p>&lt;script&gt;"));
    }

    #[test]
    fn an_image_never_loads_by_itself() {
        assert_eq!(
            to_html("![a cat](https://pics.test/cat.png)"),
            "<p><a href=\"https://pics.test/cat.png\" target=\"_blank\" rel=\"noopener nofollow\">image: a cat</a></p>\n"
        );
    }

    #[test]
    fn links_lead_only_to_the_web_and_to_mail() {
        for unsafe_link in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:x)",
            "[x](//evil.test)",
            "[x](/settings)",
            "[x](&#106;avascript:alert(1))",
            "[x](<java\tscript:alert(1)>)",
            "<javascript:alert(1)>",
        ] {
            assert!(!to_html(unsafe_link).contains("<a "), "{unsafe_link}: {}", to_html(unsafe_link));
        }
        assert!(to_html("[x](HTTPS://a.test)").contains("<a "));
        assert!(to_html("<ada@acme.test>").contains("mailto:") || !to_html("<ada@acme.test>").contains("<a "));
    }

    #[test]
    fn a_link_cannot_break_out_of_its_attribute() {
        let html = to_html("[x](https://a.test/\"onmouseover=alert(1)//)");
        assert!(!html.contains("\"onmouseover"), "{html}");
    }

    /// Elements that may come out, each with its attributes.
    const ALLOWED: &[(&str, &[&str])] = &[
        ("p", &[]),
        ("br", &[]),
        ("hr", &[]),
        ("em", &[]),
        ("strong", &[]),
        ("del", &[]),
        ("blockquote", &[]),
        ("h3", &[]),
        ("h4", &[]),
        ("h5", &[]),
        ("h6", &[]),
        ("ul", &[]),
        ("ol", &["start"]),
        ("li", &[]),
        ("table", &[]),
        ("thead", &[]),
        ("tbody", &[]),
        ("tr", &[]),
        ("th", &[]),
        ("td", &[]),
        ("code", &[]),
        ("pre", &["tabindex"]),
        ("div", &["class"]),
        ("span", &[]),
        ("button", &["type", "class", "data-copy"]),
        ("a", &["href", "target", "rel"]),
    ];

    /// Reads HTML strictly: every `<` opens an allowed tag with allowed, quoted attributes.
    fn check(html: &str) -> Result<(), String> {
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            let tag = &rest[at + 1..];
            let tag = tag.strip_prefix('/').unwrap_or(tag);
            let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            let (_, attributes) =
                ALLOWED.iter().find(|(allowed, _)| *allowed == name).ok_or(format!("element “{name}”"))?;
            let mut inside = &tag[name.len()..];
            loop {
                inside = inside.trim_start();
                if let Some(after) = inside.strip_prefix("/>").or_else(|| inside.strip_prefix('>')) {
                    rest = after;
                    break;
                }
                let end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).ok_or("open tag")?;
                let (attribute, after) = inside.split_at(end);
                if !attributes.contains(&attribute) {
                    return Err(format!("attribute “{attribute}” of “{name}”"));
                }
                inside = after;
                if let Some(value) = after.strip_prefix("=\"") {
                    let end = value.find('"').ok_or("open quote")?;
                    if attribute == "href" && !leads_somewhere_safe(&value[..end]) {
                        return Err(format!("address “{}”", &value[..end]));
                    }
                    inside = &value[end + 1..];
                }
            }
        }
        Ok(())
    }

    #[test]
    fn the_checker_itself_refuses_what_it_should() {
        for bad in ["<img src=\"x\">", "<p onclick=\"x\">", "<a href=\"javascript:x\">", "<p style=\"x\">", "<p"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    /// What the page shows after `pieces` have arrived, each as a patch of what was there.
    fn grown(pieces: &[String]) -> Vec<String> {
        let mut answer = Growing::default();
        let mut page: Vec<String> = Vec::new();
        let patch = |page: &mut Vec<String>, tail: RenderedTail| {
            page.truncate(tail.keep as usize);
            page.extend(elements(&tail.html));
        };
        for piece in pieces {
            answer.push(piece);
            patch(&mut page, answer.tail());
        }
        patch(&mut page, answer.end());
        page
    }

    /// The outermost elements of HTML that `to_html` made; white space between them shows nothing.
    fn elements(html: &str) -> Vec<String> {
        let (mut depth, mut from, mut found) = (0, 0, Vec::new());
        for (at, _) in html.match_indices('<') {
            let tag = &html[at..=at + html[at..].find('>').unwrap()];
            let void = tag.ends_with("/>");
            depth += if tag.starts_with("</") { -1 } else { i32::from(!void) };
            if depth == 0 {
                let to = at + tag.len();
                found.push(html[from..to].trim().to_owned());
                from = to;
            }
        }
        found
    }

    #[test]
    fn the_last_block_is_what_may_still_change() {
        assert_eq!(blocks("one\n\ntwo"), [0, 5]);
        assert_eq!(blocks("- a\n\n- b"), [0]);
        assert_eq!(blocks("one\n\n```\ncode\n\ncode"), [0, 5]);
        assert!(blocks("").is_empty());
    }

    #[test]
    fn a_line_that_is_not_whole_decides_nothing() {
        let pieces = ["above\n#", "<div>\n"].map(str::to_owned);
        assert_eq!(grown(&pieces), ["<p>above\n#&lt;div&gt;</p>"]);
    }

    #[test]
    fn what_would_grow_out_of_all_proportion_is_shown_as_it_is() {
        let table = format!("|{}\n|{}\n{}", "a|".repeat(200), "-|".repeat(200), "|x\n".repeat(20_000));
        let quotes = "> ".repeat(50_000) + "deep";
        for hostile in [table, quotes] {
            let html = to_html(&hostile);
            assert!(html.len() <= 5 * hostile.len(), "{} became {}", hostile.len(), html.len());
            let pieces: Vec<_> =
                hostile.as_bytes().chunks(9_000).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
            assert_eq!(grown(&pieces), elements(&html));
        }
    }

    #[test]
    fn a_link_that_is_defined_below_its_use_works_in_the_end() {
        let whole = "See [this].\n\nMore.\n\n[this]: https://a.test\n";
        let pieces: Vec<_> = whole.split_inclusive('\n').map(str::to_owned).collect();
        assert_eq!(grown(&pieces), elements(&to_html(whole)));
        assert!(to_html(whole).contains("<a "));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn an_answer_that_grew_looks_like_one_that_was_there_at_once(
            pieces in prop::collection::vec(prop_oneof![
                "[a-z *_`#>|~()!.\n-]{0,10}",
                Just("\n\n".to_owned()), Just("\n- ".to_owned()), Just("\n1. ".to_owned()), Just("\n```\n".to_owned()),
                Just("\n| a | b |\n|---|---|\n| c | d |\n".to_owned()), Just("\n    ".to_owned()), Just("\n> ".to_owned()),
                Just("\n===\n".to_owned()), Just("\n---\n".to_owned()), Just("<div>\n".to_owned()), Just("\t".to_owned()),
            ], 0..16)
        ) {
            prop_assert_eq!(grown(&pieces), elements(&to_html(&pieces.concat())));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn whatever_a_model_says_only_safe_html_comes_out(
            pieces in prop::collection::vec(prop_oneof![
                "[a-z <>\"'&`*_#|~=:/()\\[\\]!\n\t\\\\-]{0,12}",
                Just("<script>".to_owned()), Just("</code></pre>".to_owned()), Just("<img src=x onerror=y>".to_owned()),
                Just("[a](javascript:b)".to_owned()), Just("![a](http://b.test/\"c)".to_owned()),
                Just("[![a](http://b.test)](http://c.test)".to_owned()), Just("\n```html\n".to_owned()),
                Just("\n| a | b |\n|:-|-:|\n| c | d |\n".to_owned()), Just("<a href='javascript:x'>".to_owned()),
                Just("\n[r]: javascript:x\n[r]".to_owned()), Just("\n## h {#id onclick=x}\n".to_owned()),
                Just("\u{0}".to_owned()), Just("<!-- x --><![CDATA[ y ]]>".to_owned()),
            ], 0..14)
        ) {
            let text = pieces.concat();
            let html = to_html(&text);
            prop_assert!(check(&html).is_ok(), "{:?}\n{text}\n{html}", check(&html));
            prop_assert_eq!(elements(&html).len(), blocks(&text).len(), "{}\n{}", text, html);
        }
    }
}
