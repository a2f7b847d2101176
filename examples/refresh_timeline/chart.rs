//! The waits of both as an SVG, on white, so that it is readable on a dark page too.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use plotters::prelude::*;
use tower_oauth::BoxError;

use crate::{RUN, Timeline};

const SIZE: (u32, u32) = (960, 520);
const BAR: RGBColor = RGBColor(179, 84, 30);

/// The vertical axis is logarithmic, in seconds.
const WAIT: Range<f64> = 1e-8..1e-1;

/// The milliseconds of one bar, which shows the slowest request among them.
const SLOT: u128 = 4;

pub(crate) fn draw(timelines: &[Timeline]) -> Result<String, BoxError> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, timeline) in area
        .split_evenly((timelines.len(), 1))
        .iter()
        .zip(timelines)
    {
        let mut chart = ChartBuilder::on(panel)
            .margin(12)
            .margin_right(28)
            .caption(
                format!("{}: the wait of requests for a token", timeline.name),
                ("sans-serif", 18),
            )
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..RUN.as_secs_f64(), WAIT.log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 15))
            .x_labels(RUN.as_secs() as usize + 1)
            .x_label_formatter(&f64::to_string)
            .x_desc("time in seconds (grey: during a fetch; each bar: the slowest request of 4 ms)")
            .y_label_formatter(&|wait| format!("{:?}", Duration::from_secs_f64(*wait)))
            .draw()?;
        chart.draw_series(timeline.fetches.iter().map(|[start, end]| {
            let corners = [
                (start.as_secs_f64(), WAIT.start),
                (end.as_secs_f64(), WAIT.end),
            ];
            Rectangle::new(corners, BLACK.mix(0.15).filled())
        }))?;
        chart.draw_series(AreaSeries::new(slowest(timeline), WAIT.start, BAR))?;
    }
    area.present()?;
    drop(area);
    Ok(svg)
}

/// The outline of the bars.
fn slowest(timeline: &Timeline) -> impl Iterator<Item = (f64, f64)> {
    let mut slowest = BTreeMap::<u128, Duration>::new();
    for sample in &timeline.samples {
        let slot = slowest.entry(sample.at.as_millis() / SLOT).or_default();
        *slot = sample.ready_after.max(*slot);
    }
    slowest.into_iter().flat_map(|(slot, slowest)| {
        let wait = slowest.as_secs_f64().clamp(WAIT.start, WAIT.end);
        [slot, slot + 1].map(|slot| ((slot * SLOT) as f64 / 1000.0, wait))
    })
}
