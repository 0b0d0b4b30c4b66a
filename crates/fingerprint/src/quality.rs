use crate::Template;
use crate::params::{LEAST_MINUTIAE, LEAST_QUALITY, QUALITY_AREA_PX2, QUALITY_COUNT};

/// A figure from 0 (unusable) to 100 (excellent) for a template, to decide whether to capture again.
///
/// It is modelled on the purpose of NFIQ 2 (predict how well the finger will match) but sees the template
/// only: how many minutiae there are, how sure the extractor is of them and how large an area they cover. The
/// three are multiplied, because a finger that fails on one of them will not match however good the others
/// are.
pub fn quality(template: &Template) -> u8 {
    let minutiae = template.minutiae();
    if minutiae.is_empty() {
        return 0;
    }
    let count = saturating_share(minutiae.len() as f32, QUALITY_COUNT);
    let area = saturating_share(covered_area(template), QUALITY_AREA_PX2);
    // Extractors that report no quality per minutia write 0; they get the benefit of the doubt.
    let reported: Vec<f32> = minutiae.iter().filter(|m| m.quality > 0).map(|m| m.quality.into()).collect();
    let certainty =
        if reported.is_empty() { 0.6 } else { reported.iter().sum::<f32>() / reported.len() as f32 / 100.0 };
    (100.0 * count * area * certainty.sqrt()).round().clamp(0.0, 100.0) as u8
}

/// Whether a search can go by this finger.
pub fn is_searchable(template: &Template) -> bool {
    template.minutiae().len() >= LEAST_MINUTIAE && quality(template) >= LEAST_QUALITY
}

fn saturating_share(value: f32, enough: f32) -> f32 {
    (value / enough).min(1.0).sqrt()
}

/// Pixels covered by discs of radius 24 px around the minutiae, counted on a grid of 16 px cells.
fn covered_area(template: &Template) -> f32 {
    const CELL: i32 = 16;
    const REACH: i32 = 24;
    let mut cells: Vec<(i32, i32)> = Vec::with_capacity(template.minutiae().len() * 9);
    for minutia in template.minutiae() {
        let (x, y) = (i32::from(minutia.x), i32::from(minutia.y));
        for cy in (y - REACH).div_euclid(CELL)..=(y + REACH).div_euclid(CELL) {
            for cx in (x - REACH).div_euclid(CELL)..=(x + REACH).div_euclid(CELL) {
                let (dx, dy) = (cx * CELL + CELL / 2 - x, cy * CELL + CELL / 2 - y);
                if dx * dx + dy * dy <= REACH * REACH {
                    cells.push((cx, cy));
                }
            }
        }
    }
    cells.sort_unstable();
    cells.dedup();
    cells.len() as f32 * (CELL * CELL) as f32
}
