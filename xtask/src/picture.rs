//! `cargo xtask picture`: draws a chart of a run. In: its `metrics.jsonl`. Out: reward accuracy and reward
//! margin by training step, as SVG.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Size of the picture and of one plot in it, in pixels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const PLOT: (f64, f64) = (270.0, 160.0);
/// Left edges of the two plots, and their common top edge.
const LEFT: [f64; 2] = [60.0, 420.0];
const TOP: f64 = 50.0;

/// One plot: a metric of `metrics.jsonl`, the text above it, and the range of the vertical axis. Without a
/// range, the values decide it.
struct Plot {
    metric: &'static str,
    title: &'static str,
    range: Option<(f64, f64)>,
}

const PLOTS: [Plot; 2] = [
    Plot {
        metric: "rewards/accuracies",
        title: "reward accuracy",
        range: Some((0.0, 1.0)),
    },
    Plot {
        metric: "rewards/margins",
        title: "reward margin",
        range: None,
    },
];

/// Reads the training steps of `metrics` and writes the picture to `output`.
pub(crate) fn run(metrics: &Path, output: &Path) -> Result<ExitCode> {
    let text = fs::read_to_string(metrics).with_context(|| metrics.display().to_string())?;
    let svg = draw(&text).with_context(|| metrics.display().to_string())?;
    fs::write(output, svg).with_context(|| output.display().to_string())?;
    println!("{}: written", output.display());
    Ok(ExitCode::SUCCESS)
}

fn draw(metrics: &str) -> Result<String> {
    let lines = metrics.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    for (plot, left) in PLOTS.iter().zip(LEFT) {
        let points = points(&lines, plot.metric);
        ensure!(
            points.len() > 1,
            "fewer than two training steps have `{}`",
            plot.metric
        );
        draw_plot(&mut svg, plot, left, &points)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// The steps that have a metric, and its value. Lines of evaluations do not have it: their names begin with
/// `eval_`.
fn points(lines: &[Value], metric: &str) -> Vec<(f64, f64)> {
    let point = |line: &Value| Some((line["step"].as_f64()?, line[metric].as_f64()?));
    lines.iter().filter_map(point).collect()
}

fn draw_plot(svg: &mut String, plot: &Plot, left: f64, points: &[(f64, f64)]) -> Result<()> {
    let values = points.iter().map(|(_, value)| *value);
    let (low, high) = plot.range.unwrap_or_else(|| {
        let low = values.clone().fold(0.0, f64::min);
        (low, values.fold(low + 1e-9, f64::max))
    });
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let x = |step: f64| left + PLOT.0 * (step - first) / (last - first).max(1.0);
    let y = |value: f64| TOP + PLOT.1 * (1.0 - (value - low) / (high - low));
    let (right, bottom) = (left + PLOT.0, TOP + PLOT.1);
    writeln!(
        svg,
        "<text x=\"{left}\" y=\"{:.1}\" font-size=\"14\">{}</text>",
        TOP - 16.0,
        plot.title
    )?;
    for value in [low, f64::midpoint(low, high), high] {
        let y = y(value);
        // A margin of 0 can be slightly negative by rounding errors, and would be written as -0.00.
        let label = format!("{value:.2}").replace("-0.00", "0.00");
        writeln!(
            svg,
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555555\">{label}</text>",
            left - 8.0,
            y + 4.0
        )?;
    }
    for step in [first, last] {
        writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555555\">{step}</text>",
            x(step),
            bottom + 18.0
        )?;
    }
    writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555555\">step</text>",
        f64::midpoint(left, right),
        bottom + 34.0
    )?;
    let line: Vec<String> = points
        .iter()
        .map(|(step, value)| format!("{:.1},{:.1}", x(*step), y(*value)))
        .collect();
    writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>",
        line.join(" ")
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: usize, accuracy: f64, margin: f64) -> String {
        let line = serde_json::json!({
            "step": step, "rewards/accuracies": accuracy, "rewards/margins": margin,
        });
        line.to_string()
    }

    #[test]
    fn a_line_goes_from_the_first_step_to_the_last() {
        let lines = [line(1, 0.0, 0.0), line(2, 0.5, -1.0), line(3, 1.0, 1.0)];
        let eval = r#"{"step": 3, "eval_rewards/accuracies": 0.9}"#.to_owned();
        let svg = draw(&[&lines[..], &[eval]].concat().join("\n")).unwrap();
        assert!(
            svg.contains("points=\"60.0,210.0 195.0,130.0 330.0,50.0\""),
            "{svg}"
        );
        assert!(
            svg.contains("points=\"420.0,130.0 555.0,210.0 690.0,50.0\""),
            "{svg}"
        );
    }

    #[test]
    fn a_file_without_steps_is_refused() {
        assert!(draw("").is_err());
        assert!(draw(&line(1, 0.5, 0.1)).is_err());
        assert!(draw("not JSON").is_err());
    }
}
