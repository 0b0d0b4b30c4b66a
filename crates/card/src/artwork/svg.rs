//! A drawing as SVG: presentation attributes only, so that a page with a strict content security policy can
//! show it.

use std::fmt::Write;

use base64ct::{Base64, Encoding};

use super::{
    HEIGHT_MM, WIDTH_MM,
    drawing::{Anchor, Colour, Drawing, Edge, Gradient, Item, Outline, Paint, Picture, Run, Segment, Text},
    fonts::Font,
};

const SANS: &str = "'Noto Sans','Be Vietnam Pro','Liberation Sans',Arial,sans-serif";
const ZONE: &str = "'OCR B','OCR-B',OCRB,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";
/// ISO/IEC 7810: the radius of a card's corner.
const CORNER_MM: f64 = 3.18;

/// For a page; the page's fonts are used where it has ours not.
pub(super) fn inline(drawing: &Drawing) -> String {
    write(drawing, "", "")
}

/// For a file of its own: in the size of the card, with the fonts in it.
pub(super) fn standalone(drawing: &Drawing) -> String {
    let bleed = 2.0 * drawing.edge.bleed();
    let size = format!(r#" width="{}mm" height="{}mm""#, mm(WIDTH_MM + bleed), mm(HEIGHT_MM + bleed));
    // Kerning is switched off because the lines were set without it.
    let mut style = String::from("<style>text{font-kerning:none;font-variant-ligatures:none}");
    for font in Font::ALL.into_iter().filter(|font| uses(drawing, *font)) {
        let slant = if font.is_italic() { "italic" } else { "normal" };
        let _ = write!(
            style,
            "@font-face{{font-family:'{}';font-weight:{};font-style:{slant};\
             src:url(data:font/ttf;base64,{})}}",
            font.family(),
            font.weight(),
            Base64::encode_string(font.bytes())
        );
    }
    style.push_str("</style>");
    write(drawing, &size, &style)
}

fn uses(drawing: &Drawing, font: Font) -> bool {
    drawing.items.iter().any(|item| match item {
        Item::Text(text) => text.runs.iter().any(|run| run.font == font),
        _ => false,
    })
}

fn write(drawing: &Drawing, size: &str, style: &str) -> String {
    let bleed = drawing.edge.bleed();
    let view = [-bleed, -bleed, WIDTH_MM + 2.0 * bleed, HEIGHT_MM + 2.0 * bleed].map(mm).join(" ");
    let mut body = String::new();
    let mut defs = String::new();
    let mut gradients = 0;
    for item in &drawing.items {
        match item {
            Item::Shape { outline, fill, stroke } => {
                let mut paint = |paint: &Paint| match paint {
                    Paint::Solid(colour) => hex(*colour),
                    Paint::Gradient(gradient) => {
                        gradients += 1;
                        define(&mut defs, &format!("{}-shade-{gradients}", drawing.side), gradient);
                        format!("url(#{}-shade-{gradients})", drawing.side)
                    }
                };
                let mut style = match fill {
                    None => String::from(r#" fill="none""#),
                    Some(fill) => {
                        format!(r#" fill="{}"{}"#, paint(&fill.paint), opacity("fill", fill.opacity))
                    }
                };
                if let Some(stroke) = stroke {
                    let (colour, opacity) = (paint(&stroke.paint), opacity("stroke", stroke.opacity));
                    let _ =
                        write!(style, r#" stroke="{colour}" stroke-width="{}"{opacity}"#, mm(stroke.width));
                }
                shape(&mut body, outline, &style);
            }
            Item::Text(text) => line(&mut body, text),
            Item::Picture(picture) => image(&mut body, picture),
        }
    }
    let (clip, group) = match drawing.edge {
        Edge::Round => (
            format!(
                "<clipPath id=\"{}-edge\"><rect width=\"{WIDTH_MM}\" height=\"{HEIGHT_MM}\" \
                 rx=\"{CORNER_MM}\"/></clipPath>",
                drawing.side
            ),
            format!(r#"<g clip-path="url(#{}-edge)">"#, drawing.side),
        ),
        Edge::Square | Edge::Bleed(_) => (String::new(), "<g>".to_owned()),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{view}\"{size} role=\"img\" aria-label=\"{}\" \
         lang=\"vi\" font-family=\"{SANS}\" text-rendering=\"geometricPrecision\">{style}<defs>{clip}{defs}\
         </defs>{group}{body}</g></svg>",
        drawing.title
    )
}

fn define(defs: &mut String, id: &str, gradient: &Gradient) {
    let [x1, y1] = gradient.from.map(mm);
    let [x2, y2] = gradient.to.map(mm);
    let _ = write!(
        defs,
        r#"<linearGradient id="{id}" gradientUnits="userSpaceOnUse" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}">"#
    );
    for (offset, colour) in gradient.stops {
        let _ = write!(defs, r#"<stop offset="{}" stop-color="{}"/>"#, mm(offset), hex(colour));
    }
    defs.push_str("</linearGradient>");
}

fn shape(out: &mut String, outline: &Outline, style: &str) {
    let _ = match outline {
        Outline::Rect { at, size, radius } => {
            let ([x, y], [width, height]) = (at.map(mm), size.map(mm));
            let round = if *radius > 0.0 { format!(r#" rx="{}""#, mm(*radius)) } else { String::new() };
            write!(out, r#"<rect x="{x}" y="{y}" width="{width}" height="{height}"{round}{style}/>"#)
        }
        Outline::Ellipse { centre, radii, degrees } => {
            let ([cx, cy], [rx, ry]) = (centre.map(mm), radii.map(mm));
            let turn = match *degrees {
                0.0 => String::new(),
                degrees => format!(r#" transform="rotate({} {cx} {cy})""#, mm(degrees)),
            };
            write!(out, r#"<ellipse cx="{cx}" cy="{cy}" rx="{rx}" ry="{ry}"{turn}{style}/>"#)
        }
        Outline::Path(segments) => write!(out, r#"<path d="{}"{style}/>"#, path(segments)),
        Outline::Modules { at, module, runs } => {
            let mut d = String::new();
            for [x, y, length] in runs {
                let _ = write!(d, "M{x} {y}h{length}v1h-{length}z");
            }
            write!(
                out,
                "<path transform=\"translate({} {}) scale({module:.5})\" d=\"{d}\"{style} \
                 shape-rendering=\"crispEdges\"/>",
                mm(at[0]),
                mm(at[1])
            )
        }
    };
}

fn path(segments: &[Segment]) -> String {
    let pair = |[x, y]: [f64; 2]| format!("{} {}", mm(x), mm(y));
    let mut d = String::new();
    for segment in segments {
        let _ = match *segment {
            Segment::Move(to) => write!(d, "M{}", pair(to)),
            Segment::Line(to) => write!(d, "L{}", pair(to)),
            Segment::Curve(one, two, to) => write!(d, "C{} {} {}", pair(one), pair(two), pair(to)),
            Segment::Close => write!(d, "Z"),
        };
    }
    d
}

fn line(out: &mut String, text: &Text) {
    let [x, y] = text.at.map(mm);
    let _ = write!(out, r#"<text x="{x}" y="{y}""#);
    if text.anchor == Anchor::Middle {
        out.push_str(r#" text-anchor="middle""#);
    }
    if text.degrees != 0.0 {
        let _ = write!(out, r#" transform="rotate({} {x} {y})""#, mm(text.degrees));
    }
    if let Some(length) = text.length {
        let whole = text.runs.iter().any(|run| run.font == Font::OcrB);
        let adjust = if whole { "spacing" } else { "spacingAndGlyphs" };
        let _ = write!(out, r#" textLength="{}" lengthAdjust="{adjust}""#, mm(length));
    }
    match &text.runs[..] {
        [run] => {
            let _ = write!(out, "{}>{}", style(run), escape(&run.text));
        }
        runs => {
            out.push('>');
            for run in runs {
                let _ = write!(out, "<tspan{}>{}</tspan>", style(run), escape(&run.text));
            }
        }
    }
    out.push_str("</text>");
}

fn style(run: &Run) -> String {
    let mut out = format!(r#" font-size="{}" fill="{}""#, mm(run.size), hex(run.colour));
    out.push_str(&opacity("fill", run.opacity));
    if run.font == Font::OcrB {
        let _ = write!(out, r#" font-family="{ZONE}""#);
    }
    if run.font.weight() != 400 {
        let _ = write!(out, r#" font-weight="{}""#, run.font.weight());
    }
    if run.font.is_italic() {
        out.push_str(r#" font-style="italic""#);
    }
    if run.spacing != 0.0 {
        let _ = write!(out, r#" letter-spacing="{}""#, mm(run.spacing));
    }
    out
}

fn image(out: &mut String, picture: &Picture) {
    let ([x, y], [width, height]) = (picture.at.map(mm), picture.size.map(mm));
    let _ = write!(
        out,
        "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"xMidYMid \
         slice\" href=\"data:image/jpeg;base64,{}\"/>",
        Base64::encode_string(&picture.jpeg)
    );
}

fn opacity(what: &str, opacity: f64) -> String {
    if opacity < 1.0 { format!(r#" {what}-opacity="{}""#, mm(opacity)) } else { String::new() }
}

fn hex(Colour(red, green, blue): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// At most three decimals: a micrometre.
fn mm(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escape(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<b a=\"'&\">\u{7}"), "&lt;b a=&quot;&#39;&amp;&quot;&gt; ");
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!(
            [mm(1.0), mm(0.25), mm(-0.00001), mm(10.12345), mm(100.0)],
            ["1", "0.25", "0", "10.123", "100"]
        );
    }
}
