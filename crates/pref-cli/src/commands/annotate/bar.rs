//! The progress of a run on stderr. In: events of a run. Out: a bar on a terminal, a line from time to time elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pref_annotate::{Observer, RunProgress};

use crate::progress::note;

/// Shortest time between two lines if stderr is no terminal.
const QUIET_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Bar {
    bar: ProgressBar,
    is_terminal: bool,
    has_prices: bool,
    last: Option<Instant>,
}

impl Bar {
    pub(super) fn new(has_prices: bool) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {msg}");
        let bar = ProgressBar::hidden();
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self {
            bar,
            is_terminal: std::io::stderr().is_terminal(),
            has_prices,
            last: None,
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: &RunProgress) {
        let pause = match self.is_terminal {
            true => Duration::from_millis(100),
            false => QUIET_INTERVAL,
        };
        let now = Instant::now();
        let first = *self.last.get_or_insert(now);
        if now.duration_since(first) < pause {
            return;
        }
        self.last = Some(now);
        let line = line(progress, self.has_prices);
        if self.is_terminal {
            self.bar
                .set_draw_target(indicatif::ProgressDrawTarget::stderr());
            self.bar.set_length(progress.n_units);
            self.bar
                .set_position(progress.n_answered + progress.n_failed);
            self.bar.set_message(line);
        } else {
            note(&line);
        }
    }
}

/// The progress in one line.
pub(super) fn line(progress: &RunProgress, has_prices: bool) -> String {
    let mut parts = vec![format!(
        "{}/{} answered",
        progress.n_answered, progress.n_units
    )];
    if progress.n_failed > 0 {
        parts.push(format!("{} failed", progress.n_failed));
    }
    parts.push(format!("{} requests", progress.n_requests));
    parts.push(format!("{} in flight", progress.in_flight));
    parts.push(tokens(
        progress.prompt,
        progress.cached,
        progress.completion,
    ));
    if has_prices {
        parts.push(format!("cost {}", money(progress.money)));
    }
    if let Some(left) = progress.time_left() {
        parts.push(format!("{} s left", left.as_secs()));
    }
    parts.join(", ")
}

/// Tokens in words.
pub(super) fn tokens(prompt: u64, cached: u64, completion: u64) -> String {
    match cached {
        0 => format!("{prompt} + {completion} tokens"),
        _ => format!("{prompt} ({cached} cached) + {completion} tokens"),
    }
}

/// Billionths of a unit of money as a decimal number.
pub(super) fn money(billionths: u64) -> String {
    format!("{:.4}", billionths as f64 / 1e9)
}
