//! Pages as people read them: the text of the markup.

/// Elements that stand within a line.
const INLINE: [&str; 7] = ["a", "b", "code", "em", "output", "span", "strong"];

/// The text of a page in one line. Markup of a line's inside takes no room, any other is a blank.
pub(crate) fn text(html: &str) -> String {
    let main = html.split_once("<main").map_or(html, |(_, main)| main);
    let mut text = String::new();
    let mut rest = main.split_once('>').map_or(main, |(_, rest)| rest);
    while let Some((before, markup)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = markup.split_once('>').unwrap_or((markup, ""));
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if !INLINE.contains(&name) {
            text.push(' ');
        }
        rest = after;
    }
    text.push_str(rest);
    let words: Vec<&str> = text.split_whitespace().collect();
    unescaped(&words.join(" "))
}

fn unescaped(text: &str) -> String {
    [
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[test]
fn a_page_is_read_without_its_markup() {
    let html = "<head>x</head><main id=\"a\">\n<p><strong>one</strong>\n is &#60;two&#62;,</p><p><code>a &amp;&amp; b</code>.</p></main>";
    assert_eq!(text(html), "one is <two>, a && b.");
}
