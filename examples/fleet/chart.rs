//! The day as an SVG that can be read on a light and on a dark page.

use std::fmt::Write;

use crate::bank::{DAY, OUTAGE, REVOCATION};

const WIDTH: f64 = 840.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 52.0;

/// The seconds that one step of a line stands for, by the most of them.
const STEP: usize = 240;

/// The axis ends here, or a little above the highest point.
const HIGHEST: f64 = 1000.0;

/// Below one fetch per second there is none: the logarithmic scale begins at half of one.
const NONE: f64 = 0.5;

const GREY: &str = "#808080";
const WITHOUT: &str = "#e07b00";
const WITH: &str = "#1f8fd6";

pub(crate) fn draw(with: &[u32], without: &[u32]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"{GREY}\" role=\"img\">\n<title>Token requests per second of 1,000 replicas over a day\
         </title>\n",
    );
    band(&mut svg);
    axes(&mut svg);
    line(&mut svg, without, WITHOUT);
    line(&mut svg, with, WITH);
    legend(&mut svg);
    svg += "</svg>\n";
    svg
}

fn x(second: usize) -> f64 {
    LEFT + second as f64 / DAY as f64 * (WIDTH - LEFT - RIGHT)
}

fn y(fetches: f64) -> f64 {
    let part = (fetches.max(NONE) / NONE).log10() / (HIGHEST / NONE).log10();
    HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
}

/// The outage and the revocation, behind the lines.
fn band(svg: &mut String) {
    let (from, to) = (x(OUTAGE.start), x(OUTAGE.end));
    let (top, height) = (TOP - 6.0, HEIGHT - TOP - BOTTOM + 6.0);
    let wide = to - from;
    put(
        svg,
        format!(
            "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{wide:.1}\" height=\"{height}\" fill-opacity=\"0.3\"/>"
        ),
    );
    let at = x(REVOCATION);
    let bottom = HEIGHT - BOTTOM;
    put(
        svg,
        format!("<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"{GREY}\" stroke-dasharray=\"3 3\"/>"),
    );
    for (at, words) in [(from, "outage, 10 minutes"), (at, "all tokens revoked")] {
        let above = top - 6.0;
        put(
            svg,
            format!("<text x=\"{at:.1}\" y=\"{above}\" text-anchor=\"middle\">{words}</text>"),
        );
    }
}

fn axes(svg: &mut String) {
    for fetches in [1.0, 10.0, 100.0, 1000.0] {
        let (y, right, label) = (y(fetches), WIDTH - RIGHT, LEFT - 8.0);
        put(
            svg,
            format!(
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"{GREY}\" stroke-opacity=\"0.35\"/><text x=\"{label}\" \
                 y=\"{:.1}\" text-anchor=\"end\">{fetches}</text>",
                y + 4.0
            ),
        );
    }
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    put(
        svg,
        format!("<path d=\"M{LEFT} {bottom}H{right}\" stroke=\"{GREY}\"/>"),
    );
    for hour in (0..=24).step_by(3) {
        let (at, below) = (x(hour * 3600), bottom + 18.0);
        put(
            svg,
            format!("<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{hour:02}:00</text>"),
        );
    }
    let (middle, below) = ((LEFT + right) / 2.0, HEIGHT - 12.0);
    put(
        svg,
        format!(
            "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">time since all replicas started</text>"
        ),
    );
    let half = (TOP + bottom) / 2.0;
    put(
        svg,
        format!(
            "<text x=\"16\" y=\"{half}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {half})\">token requests \
             per second</text>"
        ),
    );
}

fn line(svg: &mut String, fetches: &[u32], colour: &str) {
    let mut path = String::new();
    for (step, seconds) in fetches.chunks(STEP).enumerate() {
        let most = seconds.iter().copied().max().unwrap_or(0);
        let (from, to) = (x(step * STEP), x(step * STEP + seconds.len()));
        let command = if step == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{from:.1} {:.1}H{to:.1}", y(f64::from(most)));
    }
    put(
        svg,
        format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"),
    );
}

fn legend(svg: &mut String) {
    let entries = [
        (LEFT, WITH, "as the crate comes"),
        (LEFT + 160.0, WITHOUT, "without jitter and back-off"),
    ];
    for (at, colour, words) in entries {
        put(
            svg,
            format!(
                "<path d=\"M{at} 16h20\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"20\">{words}</text>",
                at + 28.0
            ),
        );
    }
    let (right, words) = (WIDTH - RIGHT, "the most in any second of 4 minutes");
    put(
        svg,
        format!("<text x=\"{right}\" y=\"20\" text-anchor=\"end\">{words}</text>"),
    );
}

fn put(svg: &mut String, element: String) {
    svg.push_str(&element);
    svg.push('\n');
}
