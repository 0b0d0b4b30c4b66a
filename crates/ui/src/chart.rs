//! Charts drawn here as SVG. Geometry is in attributes and colour in classes of the style sheet, because the
//! content security policy allows no inline style. Text in the charts comes from our own tables and is
//! escaped nevertheless.

use std::fmt::Write;

use time::Date;

use crate::format;
use crate::i18n::Lang;

/// A bar that fills its cell: `share` of the full width, drawn in `class`. A share above 1 fills the cell.
pub fn bar(share: f64, class: &str) -> String {
    let width = (share.clamp(0.0, 1.0) * 100.0 * 10.0).round() / 10.0;
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
         focusable=\"false\"><rect class=\"bar-ground\" width=\"100\" height=\"8\"/><rect class=\"{class}\" \
         width=\"{width}\" height=\"8\"/></svg>"
    )
}

/// A bar to either side of the middle: positive to the right. `full` is the value of half the width.
pub fn balance(value: f64, full: f64) -> String {
    let half = if full > 0.0 { (value.abs() / full).min(1.0) * 50.0 } else { 0.0 };
    let (x, class) = if value < 0.0 { (50.0 - half, "bar-against") } else { (50.0, "bar-for") };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
         focusable=\"false\"><rect class=\"bar-ground\" width=\"100\" height=\"8\"/><rect class=\"{class}\" \
         x=\"{x:.1}\" width=\"{half:.1}\" height=\"8\"/><rect class=\"bar-middle\" x=\"49.8\" width=\"0.4\" \
         height=\"8\"/></svg>"
    )
}

/// One day of the burn-up, cumulative.
#[derive(Debug, Clone, Copy)]
pub struct DayPoint {
    pub date: Date,
    pub people: i64,
    pub printed: i64,
    pub handed_over: i64,
}

/// What the burn-up shows.
pub struct BurnUp<'a> {
    pub days: &'a [DayPoint],
    pub target: i64,
    pub starts_on: Date,
    /// The last day that counts.
    pub last_day: Date,
    pub as_of: Date,
    pub title: &'a str,
    pub target_label: &'a str,
    pub deadline_label: &'a str,
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 30.0;

/// Cumulative lines against the target and the deadline, with the line that would just reach it.
pub fn burn_up(lang: Lang, chart: &BurnUp) -> String {
    let last_day = chart.days.last().map_or(chart.as_of, |day| day.date);
    let first = chart.days.first().map_or(chart.starts_on, |day| day.date.min(chart.starts_on));
    let end = chart.last_day.max(last_day).max(chart.as_of);
    let span = (end - first).whole_days().max(1) as f64;
    let reached = chart.days.iter().map(|day| day.people).max().unwrap_or(0);
    let top_value = nice_ceiling(chart.target.max(reached).max(1) as f64 * 1.04);
    let x = |date: Date| LEFT + (date - first).whole_days() as f64 / span * (WIDTH - LEFT - RIGHT);
    let y = |value: i64| HEIGHT - BOTTOM - value as f64 / top_value * (HEIGHT - TOP - BOTTOM);
    let base = HEIGHT - BOTTOM;
    let mut svg = format!(
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        escape(chart.title)
    );
    for step in 0..=4 {
        let value = (top_value * f64::from(step) / 4.0) as i64;
        let at = y(value);
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text \
             class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            format::count(lang, value)
        );
    }
    for (date, anchor) in [(first, "start"), (chart.last_day, "end")] {
        let _ = write!(
            svg,
            r#"<text class="tick" x="{:.1}" y="{}" text-anchor="{anchor}">{}</text>"#,
            x(date),
            HEIGHT - 8.0,
            format::date(date)
        );
    }
    let deadline_x = x(chart.last_day);
    let target_y = y(chart.target);
    let _ = write!(
        svg,
        "<line class=\"deadline\" x1=\"{deadline_x:.1}\" x2=\"{deadline_x:.1}\" y1=\"{TOP}\" y2=\"{base}\"/>\
         <line class=\"target\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{target_y:.1}\" y2=\"{target_y:.1}\"/><text \
         class=\"target-label\" x=\"{}\" y=\"{:.1}\">{}</text>",
        WIDTH - RIGHT,
        LEFT + 6.0,
        target_y - 7.0,
        escape(chart.target_label)
    );
    if !chart.days.is_empty() {
        let captured: Vec<(f64, f64)> = chart.days.iter().map(|day| (x(day.date), y(day.people))).collect();
        let printed: Vec<(f64, f64)> = chart.days.iter().map(|day| (x(day.date), y(day.printed))).collect();
        let handed: Vec<(f64, f64)> =
            chart.days.iter().map(|day| (x(day.date), y(day.handed_over))).collect();
        let (from, to) = (captured[0].0, captured[captured.len() - 1].0);
        let _ =
            write!(svg, r#"<path class="area" d="{}L{to:.1} {base}L{from:.1} {base}Z"/>"#, path(&captured));
        let (now_x, now_y) = captured[captured.len() - 1];
        if last_day < chart.last_day && reached < chart.target {
            let _ = write!(
                svg,
                "<line class=\"needed\" x1=\"{now_x:.1}\" y1=\"{now_y:.1}\" x2=\"{deadline_x:.1}\" \
                 y2=\"{target_y:.1}\"/>"
            );
        }
        // Printing follows capture so closely that the two often run on one another: the broad line lies
        // below, so that the narrow one shows on it.
        for (points, class) in
            [(&captured, "line-captured"), (&printed, "line-printed"), (&handed, "line-handed")]
        {
            let _ = write!(svg, r#"<path class="{class}" d="{}"/>"#, path(points));
        }
        let _ = write!(svg, r#"<circle class="now" cx="{now_x:.1}" cy="{now_y:.1}" r="4.5"/>"#);
    }
    let _ = write!(
        svg,
        r#"<text class="tick" x="{deadline_x:.1}" y="{}" text-anchor="end">{}</text></svg>"#,
        TOP - 12.0,
        escape(chart.deadline_label)
    );
    svg
}

fn path(points: &[(f64, f64)]) -> String {
    let mut d = String::with_capacity(points.len() * 14);
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    d
}

/// The next 1, 2, 2.5, 5 or 10 times a power of ten, doubled into steps that four grid lines divide well.
fn nice_ceiling(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0];
    let factor = steps.into_iter().find(|step| step * power >= value).unwrap_or(10.0);
    (factor * power).max(4.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn chart(days: &[DayPoint]) -> String {
        burn_up(
            Lang::Vi,
            &BurnUp {
                days,
                target: 1000,
                starts_on: date!(2021 - 03 - 01),
                last_day: date!(2021 - 06 - 30),
                as_of: date!(2021 - 04 - 06),
                title: "a < b \"c\"",
                target_label: "Chỉ tiêu",
                deadline_label: "Hạn",
            },
        )
    }

    #[test]
    fn a_campaign_that_has_not_begun_is_drawn_without_lines() {
        let svg = chart(&[]);
        assert!(svg.contains("a &lt; b &quot;c&quot;") && !svg.contains("<path") && !svg.contains("NaN"));
    }

    #[test]
    fn a_campaign_past_its_target_stays_inside_the_picture() {
        let day = |date, people| DayPoint { date, people, printed: people / 2, handed_over: 0 };
        let svg = chart(&[day(date!(2021 - 03 - 01), 0), day(date!(2021 - 07 - 15), 5_000)]);
        assert!(!svg.contains("class=\"needed\""));
        for number in svg.split(['"', ' ', 'L', 'M', 'Z']).filter_map(|part| part.parse::<f64>().ok()) {
            assert!((0.0..=WIDTH).contains(&number), "{number}");
        }
    }

    #[test]
    fn a_line_that_runs_on_another_is_drawn_after_it() {
        let day = |date, people| DayPoint { date, people, printed: people, handed_over: people };
        let svg = chart(&[day(date!(2021 - 03 - 01), 10), day(date!(2021 - 03 - 02), 20)]);
        let at = |class: &str| svg.find(class).expect("the line is drawn");
        assert!(at("line-captured") < at("line-printed") && at("line-printed") < at("line-handed"));
    }

    #[test]
    fn a_share_above_one_fills_its_bar() {
        assert!(bar(1.008, "bar-done").contains(r#"width="100" height="8"/></svg>"#));
        assert!(bar(0.251, "bar-done").contains(r#"width="25.1""#));
    }

    #[test]
    fn the_scale_holds_the_value_and_wastes_less_than_half() {
        for value in [1.0, 7.0, 999.0, 12_345.0, 1_526_289.0] {
            let top = nice_ceiling(value);
            assert!(top >= value && top <= value.max(2.0) * 2.0, "{value} {top}");
        }
    }
}
