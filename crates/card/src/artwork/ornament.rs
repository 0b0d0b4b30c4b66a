//! Ground, rosettes and marks: our own, made of rotated ellipses and waves.

use super::{ACCENT, HEIGHT_MM, WIDTH_MM};

pub(super) fn definitions(side: &str) -> String {
    format!(
        r##"<defs><clipPath id="{side}-edge"><rect width="{WIDTH_MM}" height="{HEIGHT_MM}" rx="3.18"/></clipPath><linearGradient id="{side}-sky" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#e3f0ee"/><stop offset=".5" stop-color="#f7f6ee"/><stop offset="1" stop-color="#f2e6dc"/></linearGradient><linearGradient id="{side}-gold" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#e9d08a"/><stop offset=".5" stop-color="#f6ebc3"/><stop offset="1" stop-color="#c9a44f"/></linearGradient><ellipse id="{side}-petal" rx="10" ry="3.4" fill="none"/><path id="{side}-wave" d="M-6 0q5.5 -4.2 11 0t11 0t11 0t11 0t11 0t11 0t11 0t11 0t11 0" fill="none"/></defs>"##
    )
}

/// Colour and fine lines behind everything.
pub(super) fn ground(side: &str) -> String {
    let mut out = format!(r##"<rect width="{WIDTH_MM}" height="{HEIGHT_MM}" fill="url(#{side}-sky)"/>"##);
    out.push_str(r##"<g stroke="#7fb0ab" stroke-width=".09" opacity=".5">"##);
    for line in 0..19 {
        let y = f64::from(line) * 3.0;
        let shift = if line % 2 == 0 { 0.0 } else { -5.5 };
        out.push_str(&format!(r##"<use href="#{side}-wave" x="{shift}" y="{y}"/>"##));
    }
    out.push_str("</g>");
    out.push_str(&rosette(side, 62.0, 33.0, 1.75, "#c58b6f", 0.34));
    out
}

/// Eighteen petals around a centre; at scale 1 the radius is 10 mm.
pub(super) fn rosette(side: &str, x: f64, y: f64, scale: f64, stroke: &str, opacity: f64) -> String {
    let width = 0.11 / scale;
    let mut out = format!(
        r#"<g transform="translate({x} {y}) scale({scale})" stroke="{stroke}" stroke-width="{width:.3}" opacity="{opacity}">"#
    );
    for petal in 0..18 {
        out.push_str(&format!(r##"<use href="#{side}-petal" transform="rotate({})"/>"##, petal * 10));
    }
    out.push_str("</g>");
    out
}

/// A disc with a rosette, where other cards have a coat of arms.
pub(super) fn seal(side: &str, x: f64, y: f64, radius: f64) -> String {
    let rosette = rosette(side, x, y, radius / 11.5, "#f3dfa6", 0.95);
    format!(
        r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{ACCENT}"/><circle cx="{x}" cy="{y}" r="{:.2}" fill="none" stroke="url(#{side}-gold)" stroke-width=".35"/>{rosette}"#,
        radius - 0.35
    )
}

/// Contacts are only hinted at: the layout of a real module says nothing here.
pub(super) fn chip(side: &str, x: f64, y: f64) -> String {
    format!(
        r##"<g transform="translate({x} {y})"><rect width="13" height="11" rx="1.8" fill="url(#{side}-gold)" stroke="#a8863a" stroke-width=".15"/><path d="M0 3.2h4.2M0 5.5h4.2M0 7.8h4.2M8.8 3.2h4.2M8.8 5.5h4.2M8.8 7.8h4.2M4.2 0v11M8.8 0v11M4.2 2.4h4.6M4.2 8.6h4.6" fill="none" stroke="#a8863a" stroke-width=".18"/></g>"##
    )
}

/// A box of ridges that belongs to no finger.
pub(super) fn finger(x: f64, y: f64, width: f64, height: f64) -> String {
    let (cx, base) = (x + width / 2.0, y + height * 0.62);
    let mut out = format!(
        r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx=".8" fill="#fff" fill-opacity=".72" stroke="#8aa6a6" stroke-width=".12"/><g fill="none" stroke="#5d7a80" stroke-width=".22" opacity=".55">"##
    );
    for ridge in 1..=9 {
        let rx = f64::from(ridge) * width / 21.0;
        let ry = f64::from(ridge) * height / 18.5;
        let foot = y + height - 0.8 - f64::from((ridge * 7) % 4) * 0.35;
        out.push_str(&format!(
            r#"<path d="M{:.2} {foot:.2}V{base:.2}A{rx:.2} {ry:.2} 0 0 1 {:.2} {base:.2}V{foot:.2}"/>"#,
            cx - rx,
            cx + rx
        ));
    }
    out.push_str("</g>");
    out
}

/// The mark across a card whose holder does not exist.
pub(super) fn specimen() -> String {
    let (x, y) = (WIDTH_MM / 2.0, HEIGHT_MM / 2.0);
    format!(
        r#"<g transform="translate({x} {y}) rotate(-29)" text-anchor="middle" fill="{ACCENT}" fill-opacity=".11" font-weight="800" letter-spacing="1.2"><text y="1.2" font-size="13">MẪU</text><text y="8.6" font-size="7.2">SPECIMEN</text></g>"#
    )
}
