//! Ground, rosettes and marks: our own, made of rotated ellipses and waves.

use super::drawing::{
    Anchor, Colour, Edge, Fill, Gradient, Item, Outline, Paint, Point, Run, Segment, Stroke, Text,
};
use super::{ACCENT, HEIGHT_MM, WIDTH_MM, fonts::Font};

const WHITE: Colour = Colour(0xff, 0xff, 0xff);
const GOLD: Colour = Colour(0xa8, 0x86, 0x3a);
/// Half the length of a wave, and how high its control points reach, in millimetres.
const WAVE: f64 = 11.0;
const WAVE_REACH: f64 = 4.2;

/// Colour and fine lines behind everything, as far as the drawing goes.
pub(super) fn ground(edge: Edge, items: &mut Vec<Item>) {
    let bleed = edge.bleed();
    let sky = Gradient {
        from: [0.0, 0.0],
        to: [WIDTH_MM, HEIGHT_MM],
        stops: [
            (0.0, Colour(0xe3, 0xf0, 0xee)),
            (0.5, Colour(0xf7, 0xf6, 0xee)),
            (1.0, Colour(0xf2, 0xe6, 0xdc)),
        ],
    };
    items.push(Item::Shape {
        outline: Outline::Rect {
            at: [-bleed, -bleed],
            size: [WIDTH_MM + 2.0 * bleed, HEIGHT_MM + 2.0 * bleed],
            radius: 0.0,
        },
        fill: Some(Fill { paint: Paint::Gradient(sky), opacity: 1.0 }),
        stroke: None,
    });
    let mut waves = Vec::new();
    let rows = (HEIGHT_MM / 3.0).ceil() as i32;
    let beyond = (bleed / 3.0).ceil() as i32;
    for row in -beyond..=rows + beyond {
        let shift = if row.rem_euclid(2) == 0 { 0.0 } else { -WAVE / 2.0 };
        wave(&mut waves, [shift - 6.0, f64::from(row) * 3.0]);
    }
    let stroke = Stroke::shade(Colour(0x7f, 0xb0, 0xab), 0.09, 0.5);
    items.push(Item::Shape { outline: Outline::Path(waves), fill: None, stroke });
    rosette([62.0, 33.0], 17.5, Colour(0xc5, 0x8b, 0x6f), 0.34, items);
}

/// A wave line across the card and its bleed: halves of a parabola up and down.
fn wave(out: &mut Vec<Segment>, at: Point) {
    let mut x = at[0] - WAVE;
    out.push(Segment::Move([x, at[1]]));
    let mut up = false;
    while x < WIDTH_MM + WAVE {
        // A quadratic curve as a cubic one: its control points lie at two thirds of the way to the one.
        let reach = if up { -WAVE_REACH } else { WAVE_REACH } * 2.0 / 3.0;
        out.push(Segment::Curve(
            [x + WAVE / 3.0, at[1] + reach],
            [x + WAVE * 2.0 / 3.0, at[1] + reach],
            [x + WAVE, at[1]],
        ));
        x += WAVE;
        up = !up;
    }
}

/// Eighteen petals around a centre.
fn rosette(centre: Point, radius: f64, colour: Colour, opacity: f64, items: &mut Vec<Item>) {
    for petal in 0..18 {
        items.push(Item::Shape {
            outline: Outline::Ellipse {
                centre,
                radii: [radius, radius * 0.34],
                degrees: f64::from(petal) * 10.0,
            },
            fill: None,
            stroke: Stroke::shade(colour, 0.11, opacity),
        });
    }
}

fn gold(from: Point, to: Point) -> Paint {
    let stops =
        [(0.0, Colour(0xe9, 0xd0, 0x8a)), (0.5, Colour(0xf6, 0xeb, 0xc3)), (1.0, Colour(0xc9, 0xa4, 0x4f))];
    Paint::Gradient(Gradient { from, to, stops })
}

/// A disc with a rosette, where other cards have a coat of arms.
pub(super) fn seal([x, y]: Point, radius: f64, items: &mut Vec<Item>) {
    let disc = |r: f64| Outline::Ellipse { centre: [x, y], radii: [r, r], degrees: 0.0 };
    items.push(Item::Shape { outline: disc(radius), fill: Fill::solid(ACCENT), stroke: None });
    let rim = gold([x - radius, y - radius], [x + radius, y + radius]);
    let stroke = Some(Stroke { paint: rim, width: 0.35, opacity: 1.0 });
    items.push(Item::Shape { outline: disc(radius - 0.35), fill: None, stroke });
    rosette([x, y], radius * 0.87, Colour(0xf3, 0xdf, 0xa6), 0.95, items);
}

/// Contacts are only hinted at: the layout of a real module says nothing here.
pub(super) fn chip([x, y]: Point, items: &mut Vec<Item>) {
    let (width, height) = (13.0, 11.0);
    items.push(Item::Shape {
        outline: Outline::Rect { at: [x, y], size: [width, height], radius: 1.8 },
        fill: Some(Fill { paint: gold([x, y], [x + width, y + height]), opacity: 1.0 }),
        stroke: Stroke::solid(GOLD, 0.15),
    });
    let mut lines = Vec::new();
    let mut line = |from: Point, to: Point| {
        lines.push(Segment::Move([x + from[0], y + from[1]]));
        lines.push(Segment::Line([x + to[0], y + to[1]]));
    };
    for row in [3.2, 5.5, 7.8] {
        line([0.0, row], [4.2, row]);
        line([8.8, row], [width, row]);
    }
    for column in [4.2, 8.8] {
        line([column, 0.0], [column, height]);
    }
    for row in [2.4, 8.6] {
        line([4.2, row], [8.8, row]);
    }
    items.push(Item::Shape { outline: Outline::Path(lines), fill: None, stroke: Stroke::solid(GOLD, 0.18) });
}

/// A box of ridges that belongs to no finger.
pub(super) fn finger([x, y]: Point, [width, height]: Point, items: &mut Vec<Item>) {
    items.push(Item::Shape {
        outline: Outline::Rect { at: [x, y], size: [width, height], radius: 0.8 },
        fill: Fill::shade(WHITE, 0.72),
        stroke: Stroke::solid(Colour(0x8a, 0xa6, 0xa6), 0.12),
    });
    let (centre, base) = (x + width / 2.0, y + height * 0.62);
    let mut ridges = Vec::new();
    for ridge in 1..=9 {
        let (rx, ry) = (f64::from(ridge) * width / 21.0, f64::from(ridge) * height / 18.5);
        let foot = y + height - 0.8 - f64::from((ridge * 7) % 4) * 0.35;
        // Two quarters of an ellipse.
        let k = 0.5523;
        ridges.extend([
            Segment::Move([centre - rx, foot]),
            Segment::Line([centre - rx, base]),
            Segment::Curve([centre - rx, base - ry * k], [centre - rx * k, base - ry], [centre, base - ry]),
            Segment::Curve([centre + rx * k, base - ry], [centre + rx, base - ry * k], [centre + rx, base]),
            Segment::Line([centre + rx, foot]),
        ]);
    }
    let stroke = Stroke::shade(Colour(0x5d, 0x7a, 0x80), 0.22, 0.55);
    items.push(Item::Shape { outline: Outline::Path(ridges), fill: None, stroke });
}

/// A flourish that is nobody's signature.
pub(super) fn signature([x, y]: Point, items: &mut Vec<Item>) {
    let curves: [[Point; 3]; 5] = [
        [[2.5, -4.0], [4.0, -3.4], [3.2, -0.8]],
        [[2.4, 1.8], [5.2, 0.1], [6.8, -2.0]],
        [[8.4, -4.1], [9.2, -0.4], [10.8, -1.6]],
        [[12.4, -2.8], [14.4, -3.6], [18.4, -2.2]],
        [[20.4, -1.5], [22.4, -2.8], [24.0, -1.4]],
    ];
    let mut path = vec![Segment::Move([x, y])];
    path.extend(curves.map(|points| {
        let [one, two, to] = points.map(|[dx, dy]| [x + dx, y + dy]);
        Segment::Curve(one, two, to)
    }));
    let stroke = Stroke::shade(ACCENT, 0.28, 0.7);
    items.push(Item::Shape { outline: Outline::Path(path), fill: None, stroke });
}

/// The mark across a card whose holder does not exist.
pub(super) fn specimen(items: &mut Vec<Item>) {
    let degrees = -29.0f64;
    let (sine, cosine) = degrees.to_radians().sin_cos();
    for (below, size, words) in [(1.2, 13.0, "MẪU"), (8.6, 7.2, "SPECIMEN")] {
        let at = [WIDTH_MM / 2.0 - below * sine, HEIGHT_MM / 2.0 + below * cosine];
        let run = Run { opacity: 0.11, spacing: 1.2, ..Run::new(words, Font::Bold, size, ACCENT) };
        items.push(Item::Text(Text { at, anchor: Anchor::Middle, degrees, runs: vec![run], length: None }));
    }
}
