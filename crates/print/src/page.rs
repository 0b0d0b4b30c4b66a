//! A side as a page. The content is drawn in the drawing's own millimetres, turned upside down by the page's
//! first operator.

use std::collections::BTreeMap;

use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::{
    POINTS, PrintError, Refs,
    fonts::{self, Embedded},
    paint::{self, Paints, Written},
};
use card::artwork::{
    HEIGHT_MM, WIDTH_MM,
    drawing::{Anchor, Drawing, Item, Outline, Picture, Point, Run, Segment, Text},
    fonts::Font,
};

/// How far the control points of a quarter of an ellipse lie from its ends, as a share of the radius.
const QUARTER: f64 = 0.552_284_75;

pub(crate) fn write(
    pdf: &mut Pdf,
    refs: &mut Refs,
    tree: Ref,
    side: &Drawing,
    fonts: &BTreeMap<Font, Embedded>,
) -> Result<Ref, PrintError> {
    let bleed = side.edge.bleed();
    let k = POINTS as f32;
    let matrix = [k, 0.0, 0.0, -k, (bleed * POINTS) as f32, ((HEIGHT_MM + bleed) * POINTS) as f32];
    let mut content = Content::new();
    content.save_state().transform(matrix);
    let mut paints = Paints::default();
    let mut pictures = Vec::new();
    for item in &side.items {
        match item {
            Item::Shape { outline, fill, stroke } => {
                if let Some(fill) = fill {
                    paints.fill(&mut content, &fill.paint, fill.opacity);
                    trace(&mut content, outline);
                    content.fill_nonzero();
                }
                if let Some(stroke) = stroke {
                    paints.stroke(&mut content, &stroke.paint, stroke.opacity);
                    content.set_line_width(stroke.width as f32);
                    trace(&mut content, outline);
                    content.stroke();
                }
            }
            Item::Text(text) => show(&mut content, &mut paints, text, fonts),
            Item::Picture(picture) => {
                let name = format!("P{}", pictures.len() + 1);
                paints.opacity(&mut content, 1.0);
                place(&mut content, picture, &name);
                pictures.push((name, image(pdf, refs, picture)?));
            }
        }
    }
    content.restore_state();
    let Written { patterns, states } = paints.write(pdf, refs, matrix);
    let (page, stream) = (refs.next(), refs.next());
    pdf.stream(stream, &content.finish());
    let mut written = pdf.page(page);
    let sheet = rect([0.0, 0.0], [WIDTH_MM + 2.0 * bleed, HEIGHT_MM + 2.0 * bleed]);
    written.parent(tree).media_box(sheet).contents(stream);
    written.bleed_box(sheet).trim_box(rect([bleed, bleed], [WIDTH_MM, HEIGHT_MM]));
    let mut resources = written.resources();
    fn named(all: &[(String, Ref)]) -> impl Iterator<Item = (Name<'_>, Ref)> {
        all.iter().map(|(name, id)| (Name(name.as_bytes()), *id))
    }
    resources.fonts().pairs(fonts.iter().map(|(font, embedded)| (Name(fonts::name(*font)), embedded.id)));
    resources.patterns().pairs(named(&patterns));
    resources.ext_g_states().pairs(named(&states));
    resources.x_objects().pairs(named(&pictures));
    resources.finish();
    written.finish();
    Ok(page)
}

fn rect([x, y]: Point, [width, height]: Point) -> Rect {
    let points = |mm: f64| (mm * POINTS) as f32;
    Rect::new(points(x), points(y), points(x + width), points(y + height))
}

fn trace(content: &mut Content, outline: &Outline) {
    match outline {
        Outline::Rect { at: [x, y], size: [width, height], radius } if *radius == 0.0 => {
            content.rect(*x as f32, *y as f32, *width as f32, *height as f32);
        }
        Outline::Rect { at: [x, y], size: [width, height], radius } => {
            let (x, y, right, foot, r) = (*x, *y, x + width, y + height, *radius);
            let k = r * (1.0 - QUARTER);
            follow(
                content,
                &[
                    Segment::Move([x + r, y]),
                    Segment::Line([right - r, y]),
                    Segment::Curve([right - k, y], [right, y + k], [right, y + r]),
                    Segment::Line([right, foot - r]),
                    Segment::Curve([right, foot - k], [right - k, foot], [right - r, foot]),
                    Segment::Line([x + r, foot]),
                    Segment::Curve([x + k, foot], [x, foot - k], [x, foot - r]),
                    Segment::Line([x, y + r]),
                    Segment::Curve([x, y + k], [x + k, y], [x + r, y]),
                    Segment::Close,
                ],
            );
        }
        Outline::Ellipse { centre, radii: [rx, ry], degrees } => {
            let (sine, cosine) = degrees.to_radians().sin_cos();
            let at = |x: f64, y: f64| {
                let (x, y) = (x * rx, y * ry);
                [centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine]
            };
            let k = QUARTER;
            follow(
                content,
                &[
                    Segment::Move(at(1.0, 0.0)),
                    Segment::Curve(at(1.0, k), at(k, 1.0), at(0.0, 1.0)),
                    Segment::Curve(at(-k, 1.0), at(-1.0, k), at(-1.0, 0.0)),
                    Segment::Curve(at(-1.0, -k), at(-k, -1.0), at(0.0, -1.0)),
                    Segment::Curve(at(k, -1.0), at(1.0, -k), at(1.0, 0.0)),
                    Segment::Close,
                ],
            );
        }
        Outline::Path(segments) => follow(content, segments),
        Outline::Modules { at, module, runs } => {
            for [x, y, length] in runs.iter().map(|run| run.map(f64::from)) {
                let (x, y) = (at[0] + x * module, at[1] + y * module);
                content.rect(x as f32, y as f32, (length * module) as f32, *module as f32);
            }
        }
    }
}

fn follow(content: &mut Content, segments: &[Segment]) {
    let f = |[x, y]: Point| (x as f32, y as f32);
    for segment in segments {
        match *segment {
            Segment::Move(to) => content.move_to(f(to).0, f(to).1),
            Segment::Line(to) => content.line_to(f(to).0, f(to).1),
            Segment::Curve(one, two, to) => {
                let ((x1, y1), (x2, y2), (x3, y3)) = (f(one), f(two), f(to));
                content.cubic_to(x1, y1, x2, y2, x3, y3)
            }
            Segment::Close => content.close_path(),
        };
    }
}

fn show(content: &mut Content, paints: &mut Paints, text: &Text, fonts: &BTreeMap<Font, Embedded>) {
    let (sine, cosine) = text.degrees.to_radians().sin_cos();
    let mut along = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -text.width() / 2.0,
    };
    for run in &text.runs {
        let [x, y] = [text.at[0] + along * cosine, text.at[1] + along * sine];
        paints.opacity(content, run.opacity);
        paint::fill(content, run.colour);
        // A mark that was moved would be taken for a letter of its own by whoever copies the text.
        let moved = fonts::set(run).glyphs.iter().any(|glyph| glyph.y != 0.0);
        if moved {
            let mut span = content.begin_marked_content_with_properties(Name(b"Span"));
            span.properties().actual_text(TextStr(&run.text));
        }
        content.begin_text().set_font(Name(fonts::name(run.font)), run.size as f32);
        // Letters stand upright although the page is upside down.
        let matrix = [cosine, sine, sine, -cosine, x, y].map(|value| value as f32);
        content.set_text_matrix(matrix);
        letters(content, run, &fonts[&run.font]);
        content.end_text();
        if moved {
            content.end_marked_content();
        }
        along += run.width();
    }
}

/// Shows the glyphs of a run. One whose place does not follow from the widths of those before it, as a mark
/// over its base, is moved there.
fn letters(content: &mut Content, run: &Run, embedded: &Embedded) {
    let set = fonts::set(run);
    let mut pen = 0.0;
    let mut rest = &set.glyphs[..];
    while let Some(first) = rest.first() {
        let level = rest.iter().take_while(|glyph| glyph.y == first.y).count();
        let (now, later) = rest.split_at(level);
        rest = later;
        content.set_rise((first.y * run.size) as f32);
        let mut shown = content.show_positioned();
        let mut items = shown.items();
        let mut codes = Vec::new();
        for glyph in now {
            let ahead = glyph.x - pen;
            if ahead.abs() > 1e-6 {
                if !codes.is_empty() {
                    items.show(Str(&std::mem::take(&mut codes)));
                }
                items.adjust((-ahead * 1000.0) as f32);
            }
            codes.extend(embedded.code(glyph.id));
            pen = glyph.x + run.font.advance(glyph.id);
        }
        items.show(Str(&codes));
        items.finish();
        shown.finish();
    }
}

fn place(content: &mut Content, picture: &Picture, name: &str) {
    let f = |value: f64| value as f32;
    let ([x, y], [width, height]) = (picture.at, picture.size);
    let [whole_width, whole_height] = picture.drawn_size();
    content.save_state();
    content.rect(f(x), f(y), f(width), f(height)).clip_nonzero().end_path();
    let left = x - (whole_width - width) / 2.0;
    let foot = y + height + (whole_height - height) / 2.0;
    content.transform([f(whole_width), 0.0, 0.0, f(-whole_height), f(left), f(foot)]);
    content.x_object(Name(name.as_bytes()));
    content.restore_state();
}

/// The JPEG as it is: no pixel is computed anew.
fn image(pdf: &mut Pdf, refs: &mut Refs, picture: &Picture) -> Result<Ref, PrintError> {
    let frame = card::jpeg::frame(&picture.jpeg)?;
    let id = refs.next();
    let mut image = pdf.image_xobject(id, &picture.jpeg);
    image.filter(Filter::DctDecode);
    image.width(frame.width.into()).height(frame.height.into()).bits_per_component(frame.depth.into());
    match frame.components {
        1 => image.color_space().device_gray(),
        3 => image.color_space().device_rgb(),
        components => return Err(PrintError::Colours { components }),
    }
    image.finish();
    Ok(id)
}
