//! The day as an SVG, on white so that it can be read on a dark page too.

use std::ops::Range;

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use tower_oauth::BoxError;

use crate::bank::{DAY, OUTAGE, REVOCATION};

const SIZE: (u32, u32) = (840, 360);
const FONT: (&str, i32) = ("sans-serif", 15);

/// The seconds of one step of a line, which shows the maximum among them.
const STEP: usize = 240;

/// The vertical axis is logarithmic. The least above zero is one fetch per second, so it begins at half of one.
const FETCHES: Range<f64> = 0.5..1000.0;

const WITHOUT: RGBColor = RGBColor(224, 123, 0);
const SHARED: RGBColor = RGBColor(46, 139, 87);
const WITH: RGBColor = RGBColor(31, 143, 214);

pub(crate) fn draw(with: &[u32], shared: &[u32], without: &[u32]) -> Result<String, BoxError> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .margin_top(28)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..hour(DAY), FETCHES.log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(FONT)
        .x_labels(13)
        .x_label_formatter(&|hour| format!("{hour:02}:00"))
        .x_desc("time since all replicas started; each step is the most in any second of 4 minutes")
        .y_label_formatter(&f64::to_string)
        .y_desc("token requests per second")
        .draw()?;

    let corner = |second, fetches| (hour(second), fetches);
    let outage = [
        corner(OUTAGE.start, FETCHES.start),
        corner(OUTAGE.end, FETCHES.end),
    ];
    let revocation = [FETCHES.start, FETCHES.end].map(|fetches| corner(REVOCATION, fetches));
    chart.draw_series([Rectangle::new(outage, BLACK.mix(0.2).filled())])?;
    chart.draw_series([PathElement::new(revocation, BLACK.mix(0.5))])?;
    let above = FONT
        .into_font()
        .color(&BLACK)
        .pos(Pos::new(HPos::Center, VPos::Bottom));
    chart.draw_series([
        Text::new("outage, 10 minutes", outage[1], above.clone()),
        Text::new("all tokens revoked", revocation[1], above),
    ])?;

    for (fetches, colour, name) in [
        (without, WITHOUT, "without jitter and back-off"),
        (with, WITH, "default settings"),
        (shared, SHARED, "one token for all"),
    ] {
        chart
            .draw_series(LineSeries::new(steps(fetches), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .label_font(FONT)
        .draw()?;
    drop(chart);
    area.present()?;
    drop(area);
    Ok(svg)
}

fn hour(second: usize) -> f64 {
    second as f64 / 3600.0
}

fn steps(fetches: &[u32]) -> impl Iterator<Item = (f64, f64)> {
    let steps = fetches.chunks(STEP).enumerate();
    steps.flat_map(|(step, seconds)| {
        let most = f64::from(seconds.iter().copied().max().unwrap_or(0));
        let ends = [step * STEP, step * STEP + seconds.len()];
        ends.map(|second| (hour(second), most.max(FETCHES.start)))
    })
}
