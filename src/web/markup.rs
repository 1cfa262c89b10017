//! Text between tags.

/// Text as it may stand in HTML and SVG, in attributes too. Control characters, which no browser shows, are left out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WEB-2.
    #[test]
    fn foreign_text_is_no_markup() {
        let foreign = "</title><script>alert(\"x\")</script>' onload='y\u{1b}[31m&amp;";
        let shown = escaped(foreign);
        assert!(!shown.contains(['<', '>', '"', '\'', '\u{1b}']), "{shown}");
        assert!(shown.ends_with("[31m&amp;amp;"), "{shown}");
    }
}
