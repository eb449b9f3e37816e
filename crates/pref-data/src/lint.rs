//! What is wrong with a set of pairs, before anything is spent on it. In: pairs, or single answers.
//! Out: findings, each with its row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::Serialize;

use crate::pair::{Example, Message, Pair, Place, Text};
use crate::tokenize::{TokenExample, TokenPair, TokenizeReport};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// May be as it should be.
    Hint,
    /// Costs quality.
    Warning,
    /// Makes what is learnt or measured wrong.
    Error,
}

/// What kind of fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A row that cannot be read, or not be made ids.
    BadRow,
    /// The same pair twice.
    Duplicate,
    /// The same pair but for case, punctuation and white space.
    NearDuplicate,
    /// One row prefers an answer that another row rejects for it.
    Contradiction,
    /// An answer is preferred in one row, and rejected for another answer in a second.
    MixedLabel,
    /// A pair or a prompt of the evaluation set is in the training set.
    Overlap,
    /// The answers are the same but for case, punctuation and white space.
    NearlyIdentical,
    /// A prompt fills the window.
    LongPrompt,
    /// Prompt or answers are cut to the window.
    Truncated,
    /// Two beginning-of-sequence tokens.
    DoubledBos,
    /// An answer does not end in the end-of-sequence token, or holds one within.
    MisplacedEos,
    /// Prompt and answer share a token.
    Boundary,
    /// The chat template renders the prompt otherwise before an answer.
    ChangedPrompt,
    /// One side is longer so often that length alone tells the sides apart.
    LengthBias,
    /// Far more answers are wanted than not, or the other way round.
    Imbalance,
}

impl Fault {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Fault::BadRow | Fault::Contradiction | Fault::Overlap | Fault::DoubledBos => {
                Severity::Error
            }
            Fault::Duplicate
            | Fault::LongPrompt
            | Fault::Truncated
            | Fault::MisplacedEos
            | Fault::Boundary
            | Fault::ChangedPrompt
            | Fault::LengthBias
            | Fault::Imbalance => Severity::Warning,
            Fault::NearDuplicate | Fault::MixedLabel | Fault::NearlyIdentical => Severity::Hint,
        }
    }

    /// As in messages: `near-duplicate`.
    pub fn name(self) -> &'static str {
        match self {
            Fault::BadRow => "bad-row",
            Fault::Duplicate => "duplicate",
            Fault::NearDuplicate => "near-duplicate",
            Fault::Contradiction => "contradiction",
            Fault::MixedLabel => "mixed-label",
            Fault::Overlap => "overlap",
            Fault::NearlyIdentical => "nearly-identical",
            Fault::LongPrompt => "long-prompt",
            Fault::Truncated => "truncated",
            Fault::DoubledBos => "doubled-bos",
            Fault::MisplacedEos => "misplaced-eos",
            Fault::Boundary => "boundary",
            Fault::ChangedPrompt => "changed-prompt",
            Fault::LengthBias => "length-bias",
            Fault::Imbalance => "imbalance",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The row; absent for what is true of the whole set.
    pub place: Option<Place>,
    /// What kind it is.
    pub fault: Fault,
    /// What a person should know.
    pub message: String,
}

impl Finding {
    fn new(place: &Place, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            fault,
            message: message.into(),
        }
    }
}

/// The texts of rows that were looked at, with where they were first.
#[derive(Default)]
struct Texts {
    exact: HashMap<[String; 3], Place>,
    loose: HashMap<[String; 3], Place>,
}

impl Texts {
    /// What a row has in common with an earlier one. `opposite` is what it contradicts, if it is
    /// there, and `how` it does; `noun` is what a row holds.
    fn add(
        &mut self,
        row: [String; 3],
        opposite: &[String; 3],
        how: fn(&str) -> String,
        noun: &str,
        place: &Place,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(first) = self.exact.get(opposite) {
            let message = how(&first.seen_from(place));
            findings.push(Finding::new(place, Fault::Contradiction, message));
        }
        let near = match self.loose.entry(row.each_ref().map(|text| loosened(text))) {
            Entry::Occupied(first) => Some(first.get().seen_from(place)),
            Entry::Vacant(free) => {
                free.insert(place.clone());
                None
            }
        };
        match (self.exact.entry(row), near) {
            (Entry::Occupied(first), _) => {
                let message = format!("the same {noun} as {}", first.get().seen_from(place));
                findings.push(Finding::new(place, Fault::Duplicate, message));
            }
            (Entry::Vacant(free), near) => {
                free.insert(place.clone());
                if let Some(first) = near {
                    let message = format!("the {noun} of {first} but for case and punctuation");
                    findings.push(Finding::new(place, Fault::NearDuplicate, message));
                }
            }
        }
        findings
    }
}

/// Findings in the texts of a set of pairs, row by row.
///
/// ```
/// use pref_data::{Fault, Pair, Text, lint_pairs};
/// let pair = |chosen: &str, rejected: &str, line: usize| {
///     let [prompt, chosen, rejected] = ["2 + 2?", chosen, rejected].map(|t| Text::Plain(t.to_owned()));
///     Pair::new(prompt, chosen, rejected, line)
/// };
/// let findings = lint_pairs(&[pair("4", "5", 1), pair("5", "4", 2)]);
/// assert_eq!(findings[0].fault, Fault::Contradiction);
/// assert_eq!(findings[0].message, "prefers what line 1 rejects");
/// ```
pub fn lint_pairs(pairs: &[Pair]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut texts = Texts::default();
    let contradicts = |first: &str| format!("prefers what {first} rejects");
    let mut labels: HashMap<(String, String), (bool, &Place)> = HashMap::new();
    let mut longer = 0_i64;
    for pair in pairs {
        let place = &pair.place;
        let row = [&pair.prompt, &pair.chosen, &pair.rejected].map(whole);
        let [prompt, chosen, rejected] = row.clone();
        let opposite = [prompt.clone(), rejected.clone(), chosen.clone()];
        let is_alike = loosened(&chosen) == loosened(&rejected);
        findings.extend(texts.add(row, &opposite, contradicts, "pair", place));
        if is_alike {
            let message = "the answers differ in nothing but case, punctuation or white space";
            findings.push(Finding::new(place, Fault::NearlyIdentical, message));
        }
        longer += (chosen.chars().count() as i64 - rejected.chars().count() as i64).signum();
        for (answer, is_chosen) in [(chosen, true), (rejected, false)] {
            match labels.entry((prompt.clone(), answer)) {
                Entry::Vacant(free) => {
                    free.insert((is_chosen, place));
                }
                Entry::Occupied(first) => {
                    let (was_chosen, first) = *first.get();
                    if was_chosen != is_chosen {
                        let [now, then] = if is_chosen {
                            ["chosen", "rejected"]
                        } else {
                            ["rejected", "chosen"]
                        };
                        let first = first.seen_from(place);
                        let message = format!("an answer is {now} that is {then} in {first}");
                        findings.push(Finding::new(place, Fault::MixedLabel, message));
                    }
                }
            }
        }
    }
    findings.extend(length_bias(longer, pairs.len()));
    findings
}

/// Findings in the texts of a set of single answers, row by row.
pub fn lint_examples(examples: &[Example]) -> Vec<Finding> {
    let mut texts = Texts::default();
    let mut findings = Vec::new();
    let contradicts = |first: &str| format!("has the other label in {first}");
    for example in examples {
        let [prompt, answer] = [&example.prompt, &example.completion].map(whole);
        let row = |label: bool| [prompt.clone(), answer.clone(), label.to_string()];
        let (row, opposite) = (row(example.desirable), row(!example.desirable));
        findings.extend(texts.add(row, &opposite, contradicts, "answer", &example.place));
    }
    let n_wanted = examples.iter().filter(|example| example.desirable).count();
    let n_other = examples.len() - n_wanted;
    if n_wanted.max(n_other) > LOPSIDED * n_wanted.min(n_other) {
        findings.push(Finding {
            place: None,
            fault: Fault::Imbalance,
            message: format!(
                "{n_wanted} answers are wanted and {n_other} are not; kto weighs them against each other with desirable_weight and undesirable_weight"
            ),
        });
    }
    findings
}

/// How many times as many answers of one label as of the other are no balance.
const LOPSIDED: usize = 4;

/// A sign test of how often the chosen answer is the longer one.
fn length_bias(longer: i64, n: usize) -> Option<Finding> {
    let deviations = longer as f64 / (n as f64).sqrt();
    if n < 20 || deviations.abs() < 3.0 {
        return None;
    }
    let (side, other) = match longer > 0 {
        true => ("chosen", "rejected"),
        false => ("rejected", "chosen"),
    };
    let share = 50.0 + 50.0 * longer.unsigned_abs() as f64 / n as f64;
    Some(Finding {
        place: None,
        fault: Fault::LengthBias,
        message: format!(
            "the {side} answer is the longer one in {share:.0} % of {n} pairs, {:.1} standard deviations from chance; a model may learn length for quality (rdpo, simpo and ld-dpo account for it, or balance against the {other} side)",
            deviations.abs()
        ),
    })
}

/// Evaluation prompts that the training set holds, by row of the evaluation set. Each set is the
/// prompts of its rows and where they are.
pub fn lint_overlap<'a>(
    train: impl IntoIterator<Item = (&'a Text, &'a Place)>,
    eval: impl IntoIterator<Item = (&'a Text, &'a Place)>,
) -> Vec<Finding> {
    let mut prompts: HashMap<String, &Place> = HashMap::new();
    for (prompt, place) in train {
        prompts.entry(loosened(&whole(prompt))).or_insert(place);
    }
    let overlap = |(prompt, place): (&Text, &Place)| {
        let first = prompts.get(&loosened(&whole(prompt)))?;
        let message = format!("the prompt of {first}, in the training set");
        Some(Finding::new(place, Fault::Overlap, message))
    };
    eval.into_iter().filter_map(overlap).collect()
}

/// What a tokenizer's special tokens and the window make of a set, row by row.
#[derive(Clone, Copy, Debug)]
pub struct TokenLint {
    /// The beginning-of-sequence token.
    pub bos_id: Option<u32>,
    /// The end-of-sequence token.
    pub eos_id: Option<u32>,
    /// Tokens of prompt and answer together that fit.
    pub max_length: usize,
}

impl TokenLint {
    /// Findings in pairs that were tokenized without a limit.
    pub fn pairs(&self, pairs: &[TokenPair]) -> Vec<Finding> {
        let row = |pair: &TokenPair| {
            let answers = [
                ("the chosen answer", &*pair.chosen),
                ("the rejected answer", &*pair.rejected),
            ];
            self.row(&pair.place, &pair.prompt, &answers)
        };
        pairs.iter().flat_map(row).collect()
    }

    /// Findings in single answers that were tokenized without a limit.
    pub fn examples(&self, examples: &[TokenExample]) -> Vec<Finding> {
        let row = |example: &TokenExample| {
            let answers = [("the answer", &*example.completion)];
            self.row(&example.place, &example.prompt, &answers)
        };
        examples.iter().flat_map(row).collect()
    }

    fn row(&self, place: &Place, prompt: &[u32], answers: &[(&str, &[u32])]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut report = |fault, message| findings.push(Finding::new(place, fault, message));
        let longest = answers.iter().map(|(_, answer)| answer.len()).max();
        let longest = prompt.len() + longest.unwrap_or(0);
        let (n_prompt, limit) = (prompt.len(), self.max_length);
        if n_prompt >= limit {
            let message = format!(
                "the prompt has {n_prompt} tokens of {limit}, so no answer fits, and training leaves the row out"
            );
            report(Fault::LongPrompt, message);
        } else if longest > limit {
            let over = longest - limit;
            let message =
                format!("{longest} tokens, {over} more than {limit}: the end of the answer is cut");
            report(Fault::Truncated, message);
        }
        if let Some(bos) = self.bos_id
            && prompt.iter().take_while(|&&id| id == bos).count() > 1
        {
            let message = "the prompt begins with two beginning-of-sequence tokens: the template or the text writes one that the tokenizer adds";
            report(Fault::DoubledBos, message.to_owned());
        }
        let Some(eos) = self.eos_id else {
            return findings;
        };
        for (name, answer) in answers {
            let count = answer.iter().filter(|&&id| id == eos).count();
            if count > 1 {
                let message = format!("{name} holds {count} end-of-sequence tokens");
                report(Fault::MisplacedEos, message);
            } else if count == 0 {
                let message = format!("{name} has no end-of-sequence token");
                report(Fault::MisplacedEos, message);
            }
        }
        findings
    }
}

/// What tokenizing said of rows: prompts that are rendered otherwise before an answer, and tokens
/// that reach across from the prompt.
pub fn lint_report(report: &TokenizeReport) -> Vec<Finding> {
    let of = |places: &[Place], fault, message: &str| -> Vec<Finding> {
        let finding = |place| Finding::new(place, fault, message);
        places.iter().map(finding).collect()
    };
    let changed = "the chat template renders the prompt otherwise before an answer, so what is trained on is not what the model is given when it answers";
    let boundary =
        "prompt and answer share a token: the answer begins with it, and the prompt ends before it";
    let mut findings = of(&report.changed_prompts, Fault::ChangedPrompt, changed);
    findings.extend(of(&report.boundary_mismatches, Fault::Boundary, boundary));
    let n = report.boundary_mismatches.len();
    if n > 0 {
        findings.push(Finding {
            place: None,
            fault: Fault::Boundary,
            message: format!(
                "{n} of {} rows change where prompt and answer are tokenized together, as TRL does it; --boundary separate, data.boundary in a plan, keeps their prompts as they are",
                report.rows
            ),
        });
    }
    findings
}

/// All that a text says, with the roles of its turns.
fn whole(text: &Text) -> String {
    match text {
        Text::Plain(text) => text.clone(),
        Text::Conversation(turns) => {
            let line = |turn: &Message| format!("{}: {}\n", turn.role, turn.content);
            turns.iter().map(line).collect()
        }
    }
}

/// Letters and digits, in lower case, one space between words.
fn loosened(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
