//! Text in a given place: the largest size of those allowed at which it fits, broken between words.

use super::{
    drawing::{Colour, Item, Run, Text},
    fonts::Font,
};

/// Lines of capitals with two marks above each other, and dots below, must not touch.
pub(super) const LINE: f64 = 1.25;

/// A paragraph: where it begins, how wide and how tall it may get, and how it looks. Lengths are in
/// millimetres.
pub(super) struct Block<'a> {
    pub(super) x: f64,
    /// Baseline of the first line.
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) max_lines: usize,
    /// Sizes to try, largest first.
    pub(super) sizes: &'a [f64],
    pub(super) font: Font,
    pub(super) colour: Colour,
    /// What stands before the text on its first line.
    pub(super) label: Vec<Run>,
}

/// A paragraph that was set.
pub(super) struct Set {
    pub(super) items: Vec<Item>,
    /// Lines it takes; 1 for an empty text.
    pub(super) lines: usize,
    /// Whether a line is longer than its place at the smallest size.
    pub(super) squeezed: bool,
}

impl Block<'_> {
    /// The lines of `text` at this size, as they fall.
    fn wrap(&self, text: &str, size: f64) -> Vec<String> {
        let label: f64 = self.label.iter().map(Run::width).sum();
        let space = self.font.set(" ", 0.0).width * size;
        let mut lines = vec![String::new()];
        let mut free = self.width - label;
        for word in text.split_whitespace() {
            let width = self.font.set(word, 0.0).width * size;
            let line = lines.last_mut().expect("there is one line at least");
            let gap = if line.is_empty() { 0.0 } else { space };
            // A word on an empty line stays there, unless a label stands before it.
            if gap + width <= free || (line.is_empty() && (lines.len() > 1 || label == 0.0)) {
                let line = lines.last_mut().expect("there is one line at least");
                if gap > 0.0 {
                    line.push(' ');
                }
                line.push_str(word);
                free -= gap + width;
            } else {
                lines.push(word.to_owned());
                free = self.width - width;
            }
        }
        lines
    }

    fn widest(&self, lines: &[String], size: f64) -> f64 {
        lines.iter().map(|line| self.font.set(line, 0.0).width * size).fold(0.0, f64::max)
    }

    /// The first size at which the text fits.
    pub(super) fn size(&self, text: &str) -> Option<f64> {
        self.sizes.iter().copied().find(|&size| {
            let lines = self.wrap(text, size);
            lines.len() <= self.max_lines && self.widest(&lines, size) <= self.width
        })
    }

    /// Below the smallest size nothing is cut: the last line takes what is left over, and is squeezed.
    pub(super) fn set(self, text: &str) -> Set {
        let found = self.size(text);
        let size = found.or(self.sizes.last().copied()).unwrap_or(2.0);
        let mut lines = self.wrap(text, size);
        if lines.len() > self.max_lines {
            let rest = lines.split_off(self.max_lines - 1).join(" ");
            lines.push(rest.trim_start().to_owned());
        }
        let mut items = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { self.label.clone() } else { Vec::new() };
            let before: f64 = label.iter().map(Run::width).sum();
            let run = Run::new(line.as_str(), self.font, size, self.colour);
            let squeezed = before + run.width() > self.width + 1e-6;
            let mut runs = label;
            if !line.is_empty() {
                runs.push(run);
            }
            if runs.is_empty() {
                continue;
            }
            let at = [self.x, self.y + index as f64 * size * LINE];
            let text = Text { length: squeezed.then_some(self.width), ..plain(at, runs) };
            items.push(Item::Text(text));
        }
        Set { items, lines: lines.len(), squeezed: found.is_none() }
    }
}

fn plain(at: [f64; 2], runs: Vec<Run>) -> Text {
    Text { at, anchor: super::drawing::Anchor::Start, degrees: 0.0, runs, length: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(max_lines: usize) -> Block<'static> {
        let (x, y, width, sizes) = (0.0, 0.0, 30.0, &[3.0, 2.0][..]);
        Block {
            x,
            y,
            width,
            max_lines,
            sizes,
            font: Font::Regular,
            colour: Colour(0, 0, 0),
            label: Vec::new(),
        }
    }

    fn words(set: &Set) -> String {
        let line = |item: &Item| match item {
            Item::Text(text) => text.runs.iter().map(|run| run.text.as_str()).collect::<String>(),
            _ => String::new(),
        };
        set.items.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    fn size(set: &Set) -> f64 {
        match &set.items[0] {
            Item::Text(text) => text.runs.last().unwrap().size,
            _ => 0.0,
        }
    }

    #[test]
    fn short_text_is_large_long_text_shrinks_then_squeezes_and_none_is_cut() {
        let short = block(1).set("Nguyễn An");
        assert!(size(&short) == 3.0 && !short.squeezed);
        let long = block(1).set("Nguyễn Thị Hồng Ngân");
        assert!(size(&long) == 2.0 && !long.squeezed);
        let text = "Nguyễn Thị Hồng Ngân ".repeat(4);
        let very_long = block(1).set(&text);
        assert!(very_long.squeezed && words(&very_long) == text.trim_end());
        let three = block(3).set(&"Nguyễn Thị Hồng Ngân ".repeat(3));
        assert!(three.lines == 3 && !three.squeezed);
    }

    #[test]
    fn a_label_takes_room_on_the_first_line_only() {
        let label = vec![Run::new("Quê quán: ", Font::Regular, 3.0, Colour(0, 0, 0))];
        let set = Block { label, ..block(3) }.set("Thạch Đài, Thạch Hà, Hà Tĩnh");
        assert_eq!((set.lines, size(&set)), (3, 3.0));
        assert_eq!(words(&set), "Quê quán: Thạch Đài, Thạch Hà, Hà Tĩnh");
        let wide = vec![Run::new("Nơi thường trú, nơi ở: ", Font::Regular, 2.5, Colour(0, 0, 0))];
        let set = Block { label: wide, ..block(3) }.set("Thạchđàithạchhàhàtĩnh");
        assert_eq!((set.lines, set.squeezed), (2, false));
    }
}
