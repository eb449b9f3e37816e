//! Progress and messages on stderr. In: events of a run or a command. Out: a bar on a terminal, plain
//! lines elsewhere.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pref_train::{EvalRecord, Means, StepRecord, Tracker};

/// Shortest time between two lines of progress if stderr is not a terminal.
const QUIET_INTERVAL: Duration = Duration::from_secs(10);

/// Whether this process prints no messages, because another rank prints them.
static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// Switches the messages of this process off or on; errors are printed anyway.
pub(crate) fn set_silent(is_silent: bool) {
    IS_SILENT.store(is_silent, Ordering::Relaxed);
}

/// Whether another rank prints the messages.
pub(crate) fn is_silent() -> bool {
    IS_SILENT.load(Ordering::Relaxed)
}

/// Prints an error and its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "error: {}", text_of(error));
}

/// The text of an error and of its causes, in one line.
pub(crate) fn text_of(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors contain the text of their cause already.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints a line on stderr. If stderr is closed or full, the line is lost and the run continues: a long
/// run must not end because its terminal was closed.
pub(crate) fn note(text: &str) {
    if is_silent() {
        return;
    }
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Counts rows on stderr while a command reads them. It is silent for the first second. Then it
/// updates one line on a terminal, and prints a line from time to time elsewhere.
#[derive(Debug)]
pub(crate) struct Counter {
    bar: ProgressBar,
    is_terminal: bool,
    noun: &'static str,
    n: usize,
    /// Number of tokens, if the command counts them.
    tokens: u64,
    started: Instant,
    last_line: Option<Instant>,
}

impl Counter {
    pub(crate) fn new(noun: &'static str) -> Self {
        Self {
            bar: ProgressBar::hidden(),
            is_terminal: console_is_terminal(),
            noun,
            n: 0,
            tokens: 0,
            started: Instant::now(),
            last_line: None,
        }
    }

    /// Sets the number of tokens that were computed so far.
    pub(crate) fn set_tokens(&mut self, tokens: u64) {
        self.tokens = tokens;
    }

    /// Adds rows to the count, and shows it if it is time.
    pub(crate) fn add(&mut self, n: usize) {
        self.n += n;
        if let Some(line) = self.line(Instant::now()) {
            if self.is_terminal {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
                self.bar.set_style(ProgressStyle::default_spinner());
                self.bar.set_message(line);
                self.bar.tick();
            } else {
                note(&line);
            }
        }
    }

    /// The text to show now; `None` if it is too early.
    fn line(&mut self, now: Instant) -> Option<String> {
        let elapsed = now.duration_since(self.started);
        let pause = match self.is_terminal {
            true => Duration::ZERO,
            false => QUIET_INTERVAL,
        };
        let is_quiet = elapsed < FIRST_COUNT_AFTER
            || self
                .last_line
                .is_some_and(|last| now.duration_since(last) < pause);
        if is_quiet {
            return None;
        }
        self.last_line = Some(now);
        let seconds = elapsed.as_secs_f64();
        if self.tokens > 0 {
            let (n, noun, tokens) = (self.n, self.noun, self.tokens);
            let speed = tokens as f64 / seconds;
            return Some(format!("{n} {noun}, {tokens} tokens, {speed:.0} tokens/s"));
        }
        let speed = self.n as f64 / seconds;
        Some(format!("{} {}, {speed:.0} a second", self.n, self.noun))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Time before the first count is shown.
const FIRST_COUNT_AFTER: Duration = Duration::from_secs(1);

/// Shows the progress of a run on stderr.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    /// Number of steps of the run; 0 outside of training.
    total: usize,
    started: Instant,
    /// The step, and the number of tokens so far, when the measurement of the speed started.
    first: (usize, u64),
    /// Number of tokens so far.
    tokens: u64,
    last_line: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            is_terminal: console_is_terminal(),
            total: 0,
            started: Instant::now(),
            first: (0, 0),
            tokens: 0,
            last_line: None,
        }
    }

    fn bar(&mut self, len: usize, template: &str) {
        self.bar.finish_and_clear();
        let target = if self.is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template(template).expect("a test checks both templates");
        self.bar = ProgressBar::with_draw_target(Some(len as u64), target)
            .with_style(style.progress_chars("━╸─"));
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }
}

const WORK: &str = "{msg:<12} {bar:24} {pos}/{len} rows  {eta} left";
const TRAINING: &str = "train        {bar:24} {pos}/{len}  {msg}  {eta} left";

fn console_is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal() && !is_silent()
}

impl Tracker for Progress {
    fn note(&mut self, text: &str) {
        self.say(text);
    }

    fn begin(&mut self, what: &str, n_pairs: usize) {
        if self.total > 0 {
            // An evaluation during training is short, so the bar of the training stays.
            return;
        }
        self.bar(n_pairs, WORK);
        self.bar.set_message(what.to_owned());
    }

    fn advance(&mut self, n_pairs: usize) {
        if self.total == 0 {
            self.bar.inc(n_pairs as u64);
        }
    }

    fn end(&mut self) {
        if self.total == 0 {
            self.bar.finish_and_clear();
        }
    }

    fn training(&mut self, step: usize, total: usize) {
        self.total = total;
        self.started = Instant::now();
        self.first = (step, self.tokens);
        self.bar(total, TRAINING);
        self.bar.set_position(step as u64);
        self.bar.reset_eta();
    }

    fn step(&mut self, record: &StepRecord) {
        if self.tokens == 0 && self.first.0 > 0 {
            // The run was resumed. Tokens of the earlier process must not count for the speed.
            self.first.1 = record.num_tokens;
            self.started = Instant::now();
        }
        self.tokens = record.num_tokens;
        let seconds = self.started.elapsed().as_secs_f64();
        let speed = (self.tokens - self.first.1) as f64 / seconds.max(1e-9);
        let text = format!("{}  {speed:.0} tokens/s", summary(&record.means, 2));
        self.bar.set_position(record.step as u64);
        self.bar.set_message(text.clone());
        let is_due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= QUIET_INTERVAL);
        if !self.is_terminal && (is_due || record.step == self.total) {
            self.last_line = Some(Instant::now());
            let left = seconds / (record.step - self.first.0).max(1) as f64
                * (self.total - record.step) as f64;
            note(&format!(
                "step {}/{}  {text}  {left:.0} s left",
                record.step, self.total
            ));
        }
        if record.step == self.total {
            self.bar.finish_and_clear();
            self.total = 0;
        }
    }

    fn evaluation(&mut self, record: &EvalRecord) {
        let noun = match record.means {
            Means::Tokens(_) => "answers",
            Means::Pairs(_) | Means::Rewards(_) | Means::Segments(_) => "pairs",
        };
        self.say(&format!(
            "eval after step {}: {}  ({} {noun})",
            record.step,
            summary(&record.means, 3),
            record.eval_pairs
        ));
    }
}

/// The most important means in words. `digits` is the number of decimals of an accuracy.
fn summary(means: &Means, digits: usize) -> String {
    let (margin, accuracy) = match means {
        Means::Pairs(means) => (Some(means.margins), means.accuracies),
        Means::Rewards(means) => (Some(means.margin), means.accuracy),
        Means::Tokens(means) => (None, means.mean_token_accuracy),
        Means::Segments(means) => (None, means.accuracy),
    };
    let margin = margin.map_or(String::new(), |margin| format!("  margin {margin:+.3}"));
    format!(
        "loss {:.4}{margin}  accuracy {accuracy:.digits$}",
        means.loss()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_after_the_first_second() {
        let mut counter = Counter::new("pairs");
        counter.is_terminal = false;
        counter.n = 5000;
        let after = |millis: u64| counter.started + Duration::from_millis(millis);
        let times = [900, 2000, 4000, 12_000].map(after);
        let lines = times.map(|now| counter.line(now));
        let expected = [
            None,
            Some("5000 pairs, 2500 a second".to_owned()),
            None,
            Some("5000 pairs, 417 a second".to_owned()),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn both_templates_are_valid() {
        for template in [WORK, TRAINING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
