//! Whether memory grows, by a straight line through the looks (least squares): one look alone says little, as an
//! allocator takes and gives back in steps.

use std::time::Duration;

use super::process::Look;

pub(crate) struct Trend {
    /// KiB at the line's ends.
    pub(crate) start: f64,
    pub(crate) end: f64,
    /// KiB per second.
    pub(crate) slope: f64,
}

impl Trend {
    /// `None`: there are fewer than two moments.
    pub(crate) fn of(looks: &[(Duration, Look)]) -> Option<Self> {
        let points = looks
            .iter()
            .map(|(at, look)| (at.as_secs_f64(), look.memory as f64));
        let count = looks.len() as f64;
        let (x, y) = points
            .clone()
            .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (x, y) = (x / count, y / count);
        let (mut with_y, mut with_x) = (0.0, 0.0);
        for point in points {
            with_y += (point.0 - x) * (point.1 - y);
            with_x += (point.0 - x).powi(2);
        }
        let (first, last) = (
            looks.first()?.0.as_secs_f64(),
            looks.last()?.0.as_secs_f64(),
        );
        let slope = Some(with_y / with_x).filter(|slope| slope.is_finite())?;
        Some(Self {
            start: y + slope * (first - x),
            end: y + slope * (last - x),
            slope,
        })
    }

    pub(crate) fn growth(&self) -> f64 {
        self.end - self.start
    }
}

#[test]
fn the_line_goes_through_the_points() {
    let looks: Vec<_> = (0..100_u64)
        .map(|second| {
            let memory = 1000 + 3 * second;
            (
                Duration::from_secs(second),
                Look {
                    memory,
                    threads: 1,
                    files: 1,
                },
            )
        })
        .collect();
    let trend = Trend::of(&looks).unwrap();
    assert!((trend.slope - 3.0).abs() < 1e-9, "{}", trend.slope);
    assert!((trend.growth() - 297.0).abs() < 1e-6, "{}", trend.growth());
    assert!(Trend::of(&looks[..1]).is_none());
}
