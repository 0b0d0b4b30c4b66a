//! Colours, gradients and transparency of a page, gathered while it is drawn.

use std::collections::BTreeMap;

use pdf_writer::types::{ColorSpaceOperand, FunctionShadingType};
use pdf_writer::{Content, Finish, Name, Pdf, Ref};

use crate::Refs;
use card::artwork::drawing::{Colour, Gradient, Paint};

/// Resources that the page's content has named.
#[derive(Default)]
pub(crate) struct Paints {
    gradients: Vec<Gradient>,
    /// In thousandths.
    opacities: BTreeMap<u32, ()>,
}

/// Names of a page's resources and where they are in the document.
pub(crate) struct Written {
    pub(crate) patterns: Vec<(String, Ref)>,
    pub(crate) states: Vec<(String, Ref)>,
}

impl Paints {
    pub(crate) fn fill(&mut self, content: &mut Content, paint: &Paint, opacity: f64) {
        self.opacity(content, opacity);
        match paint {
            Paint::Solid(colour) => fill(content, *colour),
            Paint::Gradient(gradient) => {
                content.set_fill_color_space(ColorSpaceOperand::Pattern);
                content.set_fill_pattern(None, Name(self.gradient(gradient).as_bytes()));
            }
        }
    }

    pub(crate) fn stroke(&mut self, content: &mut Content, paint: &Paint, opacity: f64) {
        self.opacity(content, opacity);
        match paint {
            Paint::Solid(colour) => match components(*colour)[..] {
                [grey] => content.set_stroke_gray(grey),
                [red, green, blue] => content.set_stroke_rgb(red, green, blue),
                _ => content,
            },
            Paint::Gradient(gradient) => {
                content.set_stroke_color_space(ColorSpaceOperand::Pattern);
                content.set_stroke_pattern(None, Name(self.gradient(gradient).as_bytes()))
            }
        };
    }

    pub(crate) fn opacity(&mut self, content: &mut Content, opacity: f64) {
        let thousandths = (opacity * 1000.0).round() as u32;
        self.opacities.insert(thousandths, ());
        content.set_parameters(Name(opacity_name(thousandths).as_bytes()));
    }

    fn gradient(&mut self, gradient: &Gradient) -> String {
        self.gradients.push(*gradient);
        format!("S{}", self.gradients.len())
    }

    /// Writes what was used, and says under which names the page finds it. `matrix` maps the
    /// drawing's millimetres to the page: a pattern does not follow the content's transformation (ISO 32000-1
    /// §8.7.3.1).
    pub(crate) fn write(self, pdf: &mut Pdf, refs: &mut Refs, matrix: [f32; 6]) -> Written {
        let mut patterns = Vec::new();
        for (index, gradient) in self.gradients.iter().enumerate() {
            patterns.push((format!("S{}", index + 1), shading(pdf, refs, gradient, matrix)));
        }
        let mut states = Vec::new();
        for thousandths in self.opacities.into_keys() {
            let (id, alpha) = (refs.next(), thousandths as f32 / 1000.0);
            pdf.ext_graphics(id).stroking_alpha(alpha).non_stroking_alpha(alpha);
            states.push((opacity_name(thousandths), id));
        }
        Written { patterns, states }
    }
}

fn opacity_name(thousandths: u32) -> String {
    format!("A{thousandths}")
}

pub(crate) fn fill(content: &mut Content, colour: Colour) {
    match components(colour)[..] {
        [grey] => content.set_fill_gray(grey),
        [red, green, blue] => content.set_fill_rgb(red, green, blue),
        _ => content,
    };
}

/// One number for a grey, so that no coloured ink is under what machines read; three else.
fn components(colour: Colour) -> Vec<f32> {
    let all = rgb(colour);
    if all.iter().all(|part| *part == all[0]) { vec![all[0]] } else { all.to_vec() }
}

fn shading(pdf: &mut Pdf, refs: &mut Refs, gradient: &Gradient, matrix: [f32; 6]) -> Ref {
    let [first, middle, last] = gradient.stops;
    let (one, two, both, id) = (refs.next(), refs.next(), refs.next(), refs.next());
    for (function, from, to) in [(one, first, middle), (two, middle, last)] {
        pdf.exponential_function(function).domain([0.0, 1.0]).c0(rgb(from.1)).c1(rgb(to.1)).n(1.0);
    }
    pdf.stitching_function(both)
        .domain([0.0, 1.0])
        .functions([one, two])
        .bounds([middle.0 as f32])
        .encode([0.0, 1.0, 0.0, 1.0]);
    let mut pattern = pdf.shading_pattern(id);
    pattern.matrix(matrix);
    let mut shading = pattern.function_shading();
    shading.shading_type(FunctionShadingType::Axial);
    shading.color_space().device_rgb();
    let [x0, y0] = gradient.from.map(|mm| mm as f32);
    let [x1, y1] = gradient.to.map(|mm| mm as f32);
    shading.coords([x0, y0, x1, y1]).extend([true, true]).function(both);
    shading.finish();
    pattern.finish();
    id
}

fn rgb(Colour(red, green, blue): Colour) -> [f32; 3] {
    [red, green, blue].map(|part| f32::from(part) / 255.0)
}
