//! Settings of `pref annotate`. In: a TOML file and `key=value` pairs. Out: checked settings; an unknown key is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use crate::judge::{ApiKey, ChatOptions, Format, KeyError, ServerKind};
use crate::limits::{ConcurrencyOptions, PriceError, Prices, RateOptions, RetryOptions};
use crate::request::Sampling;
use crate::run::RunOptions;
use crate::store::Limits;
use crate::work::{Bridge, Division, Orders, Parts, Rank, RankBy, Variant};

/// Settings cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A key is unknown or has a value of the wrong type.
    #[error("{place}: {message}")]
    Syntax {
        /// The file, or `--set`.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A value is not allowed.
    #[error("{key} is {value}; expected {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A price is wrong or missing.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// The key of the server is missing.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// How the judge is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct JudgeSettings {
    /// A URL, `local:FOLDER`, `model:FOLDER`, `rules:NAME` or `replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model of a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The environment variable that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_variable: Option<String>,
    /// How the server is told the form of a reply.
    pub format: Format,
    /// Which server it is.
    pub server: ServerKind,
    /// The longest time of a request, in seconds.
    pub timeout_seconds: f64,
    /// How often a server is asked for the state of a batch, in seconds.
    pub poll_seconds: f64,
    /// Whether the server is asked for its models before the first question.
    pub check: bool,
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self {
            name: None,
            model: None,
            key_variable: None,
            format: Format::Auto,
            server: ServerKind::Auto,
            timeout_seconds: 300.0,
            poll_seconds: 30.0,
            check: true,
        }
    }
}

/// How replies are drawn and how long they may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RequestSettings {
    /// Temperature, at least 0.
    pub temperature: f64,
    /// Probability mass from which tokens are drawn.
    pub top_p: f64,
    /// How often each question of `scores` is asked.
    pub samples: u32,
    /// The first limit of a reply's tokens; by default what the task usually needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The limit to which it grows if replies are cut.
    pub most_tokens: u32,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            samples: 1,
            max_tokens: None,
            most_tokens: RunOptions::default().most_tokens,
        }
    }
}

/// The most that may be spent in a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BudgetSettings {
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Tokens of questions and replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money, in the unit of the prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<f64>,
}

/// What is annotated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorkSettings {
    /// A file with a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
    /// How answers without segments are divided.
    pub division: Division,
    /// `scores`: the orders in which the two answers are shown.
    pub orders: Orders,
    /// `bridge`: which answer is rewritten.
    pub variant: Variant,
    /// `bridge`: the share of the pairs that are rewritten.
    pub share: f64,
    /// `rank`: what decides.
    pub by: RankBy,
    /// `rank`: weights of the five aspects.
    pub aspect_weights: [f64; pref_data::ASPECTS],
    /// `rank`: the lowest and the highest rating.
    pub rating_scale: [i64; 2],
    /// `parts`: the labels that are allowed.
    pub labels: Vec<String>,
    /// `weights`: the highest weight that the judge may give.
    pub most_weight: i64,
    /// `weights`: the folder of the model whose tokens are weighed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
}

impl Default for WorkSettings {
    fn default() -> Self {
        let rank = Rank::new(RankBy::default());
        Self {
            template: None,
            division: Division::default(),
            orders: Orders::default(),
            variant: Variant::default(),
            share: 1.0,
            by: rank.by,
            aspect_weights: rank.weights,
            rating_scale: rank.scale,
            labels: Parts::default().labels,
            most_weight: 4,
            model: None,
        }
    }
}

/// All settings of `pref annotate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AnnotateSettings {
    /// How the judge is reached.
    pub judge: JudgeSettings,
    /// How replies are drawn and how long they may be.
    pub request: RequestSettings,
    /// Requests in flight.
    pub concurrency: ConcurrencyOptions,
    /// Limits per minute.
    pub rate: RateOptions,
    /// Attempts and waits.
    pub retry: RetryOptions,
    /// The most that may be spent in a store.
    pub budget: BudgetSettings,
    /// Prices of a million tokens.
    pub price: Prices,
    /// What is annotated.
    pub work: WorkSettings,
}

impl AnnotateSettings {
    /// Settings of a file, if there is one, with changes such as `budget.money=2.5`, which come last.
    ///
    /// # Errors
    /// [`SettingsError`] names the file and the key.
    pub fn read(file: Option<&Path>, changes: &[String]) -> Result<Self, SettingsError> {
        let mut table = Table::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File {
                path: path.to_owned(),
                source,
            })?;
            table = text
                .parse()
                .map_err(|error: toml::de::Error| SettingsError::Syntax {
                    place: path.display().to_string(),
                    message: error.to_string(),
                })?;
            // Errors of the file name it, so it is checked before the changes.
            let _: Self = parse(&table, &path.display().to_string())?;
        }
        for change in changes {
            set(&mut table, change)?;
            let _: Self = parse(&table, &format!("--set {change}"))?;
        }
        let settings: Self = parse(&table, "the settings")?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let value = |key, value: &dyn std::fmt::Debug, expected| {
            Err(SettingsError::Value {
                key,
                value: format!("{value:?}"),
                expected,
            })
        };
        let finite = |number: f64| number.is_finite() && number >= 0.0;
        let request = &self.request;
        if !finite(request.temperature) || request.temperature > 10.0 {
            return value("request.temperature", &request.temperature, "0 to 10");
        }
        if !(request.top_p > 0.0 && request.top_p <= 1.0) {
            return value("request.top-p", &request.top_p, "above 0, and at most 1");
        }
        for (key, number) in [
            ("request.samples", request.samples),
            ("request.most-tokens", request.most_tokens),
            ("request.max-tokens", request.max_tokens.unwrap_or(1)),
            ("concurrency.start", self.concurrency.start),
            ("concurrency.most", self.concurrency.most),
            ("retry.attempts", self.retry.attempts),
        ] {
            if number == 0 {
                return value(key, &number, "at least 1");
            }
        }
        for (key, number) in [
            ("judge.timeout-seconds", self.judge.timeout_seconds),
            ("judge.poll-seconds", self.judge.poll_seconds),
            ("retry.first-wait", self.retry.first_wait),
            ("retry.longest-wait", self.retry.longest_wait),
            ("budget.money", self.budget.money.unwrap_or(0.0)),
        ] {
            if !finite(number) || number > 1e9 {
                return value(key, &number, "a number from 0 to 1e9");
            }
        }
        let work = &self.work;
        if !(work.share > 0.0 && work.share <= 1.0) {
            return value("work.share", &work.share, "above 0, and at most 1");
        }
        let sum: f64 = work.aspect_weights.iter().sum();
        if !work.aspect_weights.iter().all(|&w| finite(w)) || (sum - 1.0).abs() > 1e-6 {
            return value(
                "work.aspect-weights",
                &work.aspect_weights,
                "five weights that sum to 1",
            );
        }
        let [low, high] = work.rating_scale;
        if low >= high || low < 0 || high > 100 {
            return value(
                "work.rating-scale",
                &work.rating_scale,
                "two whole numbers from 0 to 100, the lower one first",
            );
        }
        if !(1..=100).contains(&work.most_weight) {
            return value("work.most-weight", &work.most_weight, "1 to 100");
        }
        if work.labels.len() < 2 || work.labels.iter().any(|label| label.trim().is_empty()) {
            return value("work.labels", &work.labels, "at least two labels");
        }
        Ok(self.price.check(self.budget.money.is_some())?)
    }

    /// How replies are drawn.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.request.temperature,
            top_p: self.request.top_p,
        }
    }

    /// How questions are asked.
    pub fn run_options(&self) -> RunOptions {
        RunOptions {
            budget: Limits {
                requests: self.budget.requests,
                tokens: self.budget.tokens,
                money: self.budget.money.map(|money| (money * 1e9).floor() as u64),
            },
            prices: self.price,
            concurrency: self.concurrency,
            rate: self.rate,
            retry: self.retry,
            max_tokens: self.request.max_tokens,
            most_tokens: self.request.most_tokens,
        }
    }

    /// How the server at `url` is reached.
    ///
    /// # Errors
    /// [`SettingsError::Key`] if the environment variable of the key is not set.
    pub fn chat_options(&self, url: &str) -> Result<ChatOptions, SettingsError> {
        let seconds = self.judge.timeout_seconds.max(0.001);
        Ok(ChatOptions {
            url: url.to_owned(),
            model: self.judge.model.clone(),
            key: ApiKey::from_env(self.judge.key_variable.as_deref())?,
            format: self.judge.format,
            server: self.judge.server,
            timeout: Duration::from_secs_f64(seconds),
            check: self.judge.check,
        })
    }

    /// How often a server is asked for the state of a batch.
    pub fn poll(&self) -> Duration {
        Duration::from_secs_f64(self.judge.poll_seconds.max(0.001))
    }

    /// The rewriting of `bridge`.
    pub fn bridge(&self) -> Bridge {
        Bridge {
            variant: self.work.variant,
            share: self.work.share,
        }
    }

    /// The ranking of `rank`.
    pub fn rank(&self) -> Rank {
        Rank {
            by: self.work.by,
            weights: self.work.aspect_weights,
            scale: self.work.rating_scale,
        }
    }
}

fn parse(table: &Table, place: &str) -> Result<AnnotateSettings, SettingsError> {
    AnnotateSettings::deserialize(Value::Table(table.clone())).map_err(|error| {
        SettingsError::Syntax {
            place: place.to_owned(),
            message: error.to_string().trim().replace('\n', " "),
        }
    })
}

/// Sets `a.b=value`. The value is TOML, or else a text.
fn set(table: &mut Table, change: &str) -> Result<(), SettingsError> {
    let wrong = |message: &str| SettingsError::Syntax {
        place: format!("--set {change}"),
        message: message.to_owned(),
    };
    let (key, text) = change
        .split_once('=')
        .ok_or_else(|| wrong("expected KEY=VALUE, such as budget.requests=100"))?;
    let value = format!("value = {text}").parse::<Table>();
    let value = value.ok().and_then(|mut table| table.remove("value"));
    let value = value.unwrap_or_else(|| Value::String(text.to_owned()));
    let (section, name) = key
        .trim()
        .split_once('.')
        .ok_or_else(|| wrong("the key has no section; expected one such as budget.requests"))?;
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    match section {
        Value::Table(section) => {
            section.insert(name.to_owned(), value);
            Ok(())
        }
        _ => Err(wrong("the section is no table")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(changes: &[&str], part: &str) {
        let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        let error = AnnotateSettings::read(None, &changes).expect_err("wrong settings");
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn settings_are_read_and_checked() {
        let changes = ["budget.requests=10", "judge.model=qwen", "work.orders=one"];
        let settings = AnnotateSettings::read(None, &changes.map(str::to_owned)).expect("settings");
        assert_eq!(settings.budget.requests, Some(10));
        assert_eq!(settings.judge.model.as_deref(), Some("qwen"));
        assert_eq!(settings.work.orders, Orders::One);
        check(&["budget.request=1"], "unknown field `request`");
        check(&["budget=1"], "no section");
        check(&["work.orders=three"], "unknown variant");
        check(&["request.top-p=0"], "above 0");
        check(&["budget.money=1"], "price.input");
        check(&["work.aspect-weights=[1, 1, 0, 0, 0]"], "sum to 1");
    }

    /// Every setting is described in the documentation.
    #[test]
    fn every_setting_is_documented() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/annotation.md");
        let page = std::fs::read_to_string(page).expect("the page");
        let mut settings = AnnotateSettings::default();
        settings.judge.name = Some(String::new());
        settings.judge.model = Some(String::new());
        settings.judge.key_variable = Some(String::new());
        settings.request.max_tokens = Some(1);
        settings.budget = BudgetSettings {
            requests: Some(1),
            tokens: Some(1),
            money: Some(1.0),
        };
        settings.price = Prices {
            input: Some(1.0),
            cached: Some(1.0),
            output: Some(1.0),
        };
        settings.rate = RateOptions {
            requests_per_minute: Some(1),
            tokens_per_minute: Some(1),
        };
        settings.work.template = Some(PathBuf::new());
        settings.work.model = Some(PathBuf::new());
        let table = Table::try_from(&settings).expect("a table");
        for (section, fields) in &table {
            for name in fields.as_table().expect("a section").keys() {
                let key = format!("`{section}.{name}`");
                assert!(page.contains(&key), "docs/annotation.md lacks {key}");
            }
        }
    }
}
