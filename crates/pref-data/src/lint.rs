//! What can be wrong with a set, before anything is spent on it, and what is with its tokens. In: pairs
//! or single answers as ids. Out: findings, each with its row.

use std::fmt;

use serde::Serialize;

use crate::pair::Place;
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
    /// An answer is nothing but white space.
    Blank,
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
            Fault::Blank
            | Fault::Duplicate
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
            Fault::Blank => "blank",
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
    pub(crate) fn new(place: &Place, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            fault,
            message: message.into(),
        }
    }
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
