//! What is wrong with the texts of a set, looked at chunk by chunk. In: pairs, or single answers. Out:
//! findings, each with its row. A row leaves a few numbers in memory, whatever its length.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::lint::{Fault, Finding};
use crate::pair::{Example, Message, Pair, Place, Text, key};

/// Looks at the texts of a set, and remembers what rows are compared by.
///
/// ```
/// use pref_data::{Fault, Linter, Pair, Text};
/// let pair = |chosen: &str, rejected: &str, line: usize| {
///     let [prompt, chosen, rejected] = ["2 + 2?", chosen, rejected].map(|t| Text::Plain(t.to_owned()));
///     Pair::new(prompt, chosen, rejected, line)
/// };
/// let mut linter = Linter::default();
/// assert!(linter.pairs(&[pair("4", "5", 1)]).is_empty());
/// let findings = linter.pairs(&[pair("5", "4", 2)]);
/// assert_eq!(findings[0].fault, Fault::Contradiction);
/// assert_eq!(findings[0].message, "prefers what line 1 rejects");
/// ```
#[derive(Debug, Default)]
pub struct Linter {
    /// Whole rows, and rows but for case and punctuation, with where they were first.
    exact: HashMap<u128, Place>,
    loose: HashMap<u128, Place>,
    /// Prompts but for case and punctuation.
    prompts: HashMap<u128, Place>,
    /// Answers to their prompts: whether they were preferred.
    labels: HashMap<u128, (bool, Place)>,
    n_pairs: usize,
    /// Pairs whose chosen answer is the longer one, less those whose rejected one is.
    longer: i64,
    n_wanted: usize,
    n_unwanted: usize,
}

impl Linter {
    /// Findings in the texts of the next pairs, row by row.
    pub fn pairs(&mut self, pairs: &[Pair]) -> Vec<Finding> {
        pairs.iter().flat_map(|pair| self.pair(pair)).collect()
    }

    /// Findings in the texts of the next single answers, row by row.
    pub fn examples(&mut self, examples: &[Example]) -> Vec<Finding> {
        examples.iter().flat_map(|row| self.example(row)).collect()
    }

    fn pair(&mut self, pair: &Pair) -> Vec<Finding> {
        let place = &pair.place;
        let [prompt, chosen, rejected] = [&pair.prompt, &pair.chosen, &pair.rejected].map(whole);
        let row = key([&*prompt, &*chosen, &*rejected]);
        let opposite = key([&*prompt, &*rejected, &*chosen]);
        let loose = [&prompt, &chosen, &rejected].map(|text| loosened(text));
        let [prompt_key, loose_key] =
            [key([&*loose[0]]), key(loose.each_ref().map(|text| &**text))];
        let contradicts = |first: &str| format!("prefers what {first} rejects");
        let mut findings = self.same_row([row, opposite, loose_key], contradicts, "pair", place);
        if loose[1] == loose[2] {
            let message = "the answers differ in nothing but case, punctuation or white space";
            findings.push(Finding::new(place, Fault::NearlyIdentical, message));
        }
        self.prompts.entry(prompt_key).or_insert(place.clone());
        self.n_pairs += 1;
        self.longer += (chosen.chars().count() as i64 - rejected.chars().count() as i64).signum();
        for (text, answer, is_chosen) in [
            (&pair.chosen, chosen, true),
            (&pair.rejected, rejected, false),
        ] {
            let [now, then] = match is_chosen {
                true => ["chosen", "rejected"],
                false => ["rejected", "chosen"],
            };
            findings.extend(blank(text, &format!("the {now} answer"), place));
            match self.labels.entry(key([&*prompt, &*answer])) {
                Entry::Vacant(free) => {
                    free.insert((is_chosen, place.clone()));
                }
                Entry::Occupied(first) => {
                    let (was_chosen, first) = first.get();
                    if *was_chosen != is_chosen {
                        let first = first.seen_from(place);
                        let message = format!("an answer is {now} that is {then} in {first}");
                        findings.push(Finding::new(place, Fault::MixedLabel, message));
                    }
                }
            }
        }
        findings
    }

    fn example(&mut self, example: &Example) -> Vec<Finding> {
        let place = &example.place;
        let [prompt, answer] = [&example.prompt, &example.completion].map(whole);
        let label = |desirable: bool| ["false", "true"][usize::from(desirable)];
        let row = |desirable: bool| key([&*prompt, &*answer, label(desirable)]);
        let desirable = example.desirable;
        let loose = [loosened(&prompt), loosened(&answer)];
        let loose_key = key([&*loose[0], &*loose[1], label(desirable)]);
        let keys = [row(desirable), row(!desirable), loose_key];
        let contradicts = |first: &str| format!("has the other label in {first}");
        let mut findings = self.same_row(keys, contradicts, "answer", place);
        findings.extend(blank(&example.completion, "the answer", place));
        let prompt = key([&*loose[0]]);
        self.prompts.entry(prompt).or_insert(place.clone());
        match desirable {
            true => self.n_wanted += 1,
            false => self.n_unwanted += 1,
        }
        findings
    }

    /// What a row has in common with an earlier one. The keys are the row's, that of what it
    /// contradicts, and the row's but for case and punctuation; `noun` is what a row holds.
    fn same_row(
        &mut self,
        [row, opposite, loose]: [u128; 3],
        contradicts: impl Fn(&str) -> String,
        noun: &str,
        place: &Place,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(first) = self.exact.get(&opposite) {
            let message = contradicts(&first.seen_from(place));
            findings.push(Finding::new(place, Fault::Contradiction, message));
        }
        let near = match self.loose.entry(loose) {
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

    /// Whether this set, which is trained on, holds the prompt of a row of the evaluation set.
    pub fn overlap(&self, prompt: &Text, place: &Place) -> Option<Finding> {
        let first = self.prompts.get(&key([&*loosened(&whole(prompt))]))?;
        let message = format!("the prompt of {first}, in the training set");
        Some(Finding::new(place, Fault::Overlap, message))
    }

    /// Findings in the set as a whole, when all rows were looked at.
    pub fn whole(&self) -> Vec<Finding> {
        let findings = [self.length_bias(), self.imbalance()];
        findings.into_iter().flatten().collect()
    }

    /// A sign test of how often the chosen answer is the longer one.
    fn length_bias(&self) -> Option<Finding> {
        let (longer, n) = (self.longer, self.n_pairs);
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

    fn imbalance(&self) -> Option<Finding> {
        let (n_wanted, n_other) = (self.n_wanted, self.n_unwanted);
        (n_wanted.max(n_other) > LOPSIDED * n_wanted.min(n_other)).then(|| Finding {
            place: None,
            fault: Fault::Imbalance,
            message: format!(
                "{n_wanted} answers are wanted and {n_other} are not; kto weighs them against each other with desirable_weight and undesirable_weight"
            ),
        })
    }
}

/// Ratio between the labels above which a set is reported as imbalanced.
const LOPSIDED: usize = 4;

fn blank(answer: &Text, name: &str, place: &Place) -> Option<Finding> {
    let message = format!("{name} is nothing but white space");
    answer
        .is_blank()
        .then(|| Finding::new(place, Fault::Blank, message))
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
