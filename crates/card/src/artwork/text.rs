//! Text in a given width, without a font at hand: widths are estimated from the letter shapes of a common
//! sans-serif, on the wide side.

use unicode_normalization::UnicodeNormalization;

pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Characters that XML 1.0 does not allow at all (§2.2).
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A paragraph: where it begins, how wide and how tall it may get, and how it looks.
pub(super) struct Block<'a> {
    pub(super) x: f64,
    /// Baseline of the first line.
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) max_lines: usize,
    /// Sizes to try, largest first, in millimetres.
    pub(super) sizes: &'a [f64],
    pub(super) weight: &'a str,
    pub(super) fill: &'a str,
}

impl Block<'_> {
    /// Whether the text fits without being squeezed.
    pub(super) fn fits(&self, text: &str) -> bool {
        let Some(&smallest) = self.sizes.last() else { return false };
        let em = smallest * self.boldness();
        let lines = wrap(text, self.width / em);
        lines.len() <= self.max_lines && lines.iter().all(|line| width_em(line) * em <= self.width)
    }

    fn boldness(&self) -> f64 {
        if self.weight == "400" { 1.0 } else { 1.07 }
    }

    /// The largest size at which the text fits; below the smallest size the lines are squeezed.
    pub(super) fn draw(&self, text: &str) -> String {
        let bold = self.boldness();
        let mut chosen = (self.sizes[0], Vec::new());
        for &size in self.sizes {
            chosen = (size, wrap(text, self.width / (size * bold)));
            let widest = chosen.1.iter().map(|line| width_em(line) * size * bold).fold(0.0, f64::max);
            if chosen.1.len() <= self.max_lines && widest <= self.width {
                break;
            }
        }
        let (size, lines) = chosen;
        let lines = merge(lines, self.max_lines);
        let mut out = String::new();
        for (index, line) in lines.iter().enumerate() {
            let y = self.y + index as f64 * size * 1.22;
            let squeeze = if width_em(line) * size * bold > self.width {
                format!(r#" textLength="{:.2}" lengthAdjust="spacingAndGlyphs""#, self.width)
            } else {
                String::new()
            };
            out.push_str(&format!(
                r#"<text x="{:.2}" y="{y:.2}" font-size="{size}" font-weight="{}" fill="{}"{squeeze}>{}</text>"#,
                self.x,
                self.weight,
                self.fill,
                escape(line)
            ));
        }
        out
    }
}

/// Breaks between words so that lines stay within `limit` em; a longer word gets a line of its own.
fn wrap(text: &str, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_em(line) + width_em(" ") + width_em(word) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// No text is lost: what has no line of its own goes to the last one.
fn merge(mut lines: Vec<String>, max_lines: usize) -> Vec<String> {
    if lines.len() > max_lines {
        let rest = lines.split_off(max_lines - 1).join(" ");
        lines.push(rest);
    }
    lines
}

/// Estimated width in em.
pub(super) fn width_em(text: &str) -> f64 {
    text.nfd()
        .map(|c| match c {
            c if unicode_normalization::char::is_combining_mark(c) => 0.0,
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.29,
            'f' | 't' | 'r' | '(' | ')' | '/' | '-' => 0.36,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
            'A'..='Z' | 'Đ' => 0.72,
            c if c.is_ascii() => 0.56,
            'đ' | 'ơ' | 'ư' => 0.6,
            _ => 1.0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(max_lines: usize) -> Block<'static> {
        let sizes = &[3.0, 2.0];
        Block { x: 0.0, y: 0.0, width: 30.0, max_lines, sizes, weight: "400", fill: "#000" }
    }

    #[test]
    fn short_text_is_large_long_text_shrinks_then_squeezes() {
        assert!(block(1).draw("Nguyễn An").contains(r#"font-size="3""#));
        let long = block(1).draw("Nguyễn Thị Hồng Ngân");
        assert!(long.contains(r#"font-size="2""#) && !long.contains("textLength"), "{long}");
        let very_long = block(1).draw(&"Nguyễn Thị Hồng Ngân ".repeat(4));
        assert!(very_long.contains("textLength") && very_long.matches("Ngân").count() == 4);
        assert!(block(1).fits("Nguyễn An") && !block(1).fits(&"Nguyễn Thị Hồng Ngân ".repeat(2)));
        assert_eq!(block(3).draw(&"Nguyễn Thị Hồng Ngân ".repeat(3)).matches("<text").count(), 3);
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<b a=\"'&\">\u{7}"), "&lt;b a=&quot;&#39;&amp;&quot;&gt; ");
    }
}
