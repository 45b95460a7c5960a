//! Does the engine grow with the calls that it made?

use std::time::Duration;

use super::load;
use super::programs::{Programs, engine_door};
use crate::machine::wait_until_quiet;
use crate::report::{Budget, Line, Measured};
use crate::server::free_address;

/// Looks at the memory while the calls are made.
const LOOKS: usize = 50;
/// At once.
const CALLERS: usize = 8;
/// Of one stretch between two looks; far longer than it takes.
const STRETCH: Duration = Duration::from_mins(10);

/// Makes this many calls, half of them reads and half writes, and looks at the memory.
pub fn measure(programs: &Programs, calls: usize) -> anyhow::Result<Measured> {
    let echo = programs.echo(free_address()?, true)?;
    let engine = programs.engine("growth", &[echo.address], &[])?;
    let busy = vec![wait_until_quiet(Duration::from_secs(5))?];
    let mut looks = Vec::new();
    for look in 0..LOOKS {
        for tool in ["echo", "write"] {
            let door = engine_door(engine.address, 0, tool);
            load::run(&door, CALLERS, STRETCH, calls.div_ceil(LOOKS * 2))?;
        }
        looks.push(engine.server.memory("status", "VmRSS")?);
        if look % 10 == 9 {
            eprintln!(
                "    {} of {calls} calls: {:.1} MiB",
                calls / LOOKS * (look + 1),
                looks.last().copied().unwrap_or_default()
            );
        }
    }
    engine.server.stop()?;
    let half = looks.get(LOOKS / 2..).unwrap_or_default();
    let growth = total_growth(half);
    let line = |what: String, ours: Vec<f64>, budget| Line {
        what,
        unit: "MiB".to_owned(),
        ours,
        against: None,
        budget,
    };
    Ok(Measured {
        lines: vec![
            line(
                format!("growth of resident memory over the last half of {calls} calls"),
                vec![(growth * 1e3).round() / 1e3],
                Some(Budget::Median(1.0)),
            ),
            line("resident memory during these calls".to_owned(), looks, None),
        ],
        busy,
        notes: Vec::new(),
    })
}

/// Least squares: by how much a value rises from the first look to the last.
#[expect(clippy::cast_precision_loss, reason = "a few dozen looks")]
fn total_growth(looks: &[f64]) -> f64 {
    let count = looks.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = looks.iter().sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for (number, look) in looks.iter().enumerate() {
        let distance = number as f64 - middle;
        above += distance * (look - mean);
        below += distance * distance;
    }
    above / below * (count - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_what_the_last_look_has_beyond_the_first() {
        assert!((total_growth(&[1.0, 3.0, 5.0, 7.0]) - 6.0).abs() < 1e-9);
        assert!(total_growth(&[4.0, 4.0, 4.0]).abs() < 1e-9);
    }
}
