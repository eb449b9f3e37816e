//! Checks the tokens of rows for faults. In: pairs or single answers as ids, and the report of
//! tokenizing them. Out: findings with their places.

use super::finding::{Fault, Finding};
use crate::text::Place;
use crate::tokenize::TokenizeReport;
use crate::tokens::{TokenExample, TokenPair};

/// Looks for faults in the tokens of rows.
#[derive(Clone, Copy, Debug)]
pub struct TokenLint {
    /// The id of the beginning-of-sequence token.
    pub bos_id: Option<u32>,
    /// The id of the end-of-sequence token.
    pub eos_id: Option<u32>,
    /// Maximum number of tokens of prompt and answer together.
    pub max_length: usize,
}

impl TokenLint {
    /// The faults of pairs. The pairs must have been tokenized without a limit.
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

    /// The faults of single answers. They must have been tokenized without a limit.
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
                "the prompt has {n_prompt} tokens and the limit is {limit}, so no answer fits, and training drops the row"
            );
            report(Fault::LongPrompt, message);
        } else if longest > limit {
            let over = longest - limit;
            let message = format!(
                "{longest} tokens, {over} more than the limit of {limit}: the end of the answer is cut"
            );
            report(Fault::Truncated, message);
        }
        if let Some(bos) = self.bos_id
            && prompt.iter().take_while(|&&id| id == bos).count() > 1
        {
            let message = "the prompt begins with two beginning-of-sequence tokens: the template or the text writes one, and the tokenizer adds another";
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

/// The faults in a report of tokenizing: prompts that the template changes when an answer follows, and
/// tokens that hold characters of prompt and answer.
pub fn lint_report(report: &TokenizeReport) -> Vec<Finding> {
    let of = |places: &[Place], fault, message: &str| -> Vec<Finding> {
        let finding = |place| Finding::new(place, fault, message);
        places.iter().map(finding).collect()
    };
    let changed = "the chat template changes the prompt when an answer follows, so the model is trained on a prompt that it does not see when it generates";
    let boundary = "one token holds the end of the prompt and the start of the answer; it counts as part of the answer";
    let mut findings = of(&report.changed_prompts, Fault::ChangedPrompt, changed);
    findings.extend(of(&report.boundary_mismatches, Fault::Boundary, boundary));
    let n = report.boundary_mismatches.len();
    if n > 0 {
        findings.push(Finding {
            place: None,
            fault: Fault::Boundary,
            message: format!(
                "in {n} of {} rows the last token of the prompt changes, because prompt and answer are tokenized together, as TRL does it; --boundary separate (data.boundary in a plan) tokenizes them separately",
                report.rows
            ),
        });
    }
    findings
}
