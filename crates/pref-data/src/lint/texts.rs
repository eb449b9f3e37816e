//! Checks the texts of a set for faults. In: pairs or single answers, chunk by chunk. Out: findings
//! with their places. Memory holds a few numbers per row, whatever the length of the row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::finding::{Fault, Finding};
use crate::text::{ContentHash, Example, Message, Pair, Place, Text, text_key};

/// Looks for faults in the texts of a set, and remembers each row for comparison with later ones.
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
/// assert_eq!(findings[0].message, "prefers the answer that line 1 rejects");
/// ```
#[derive(Debug, Default)]
pub struct Linter {
    /// The first row of each content.
    contents: HashMap<ContentHash, Place>,
    /// The first row with the same texts.
    texts: HashMap<u128, Place>,
    /// The first row with the same texts, apart from case and punctuation.
    loose_texts: HashMap<u128, Place>,
    /// The first row of each prompt, apart from case and punctuation.
    prompts: HashMap<u128, Place>,
    /// For each answer to a prompt: whether it was chosen in its first row, and that row.
    sides: HashMap<u128, (bool, Place)>,
    n_pairs: usize,
    /// The number of pairs whose chosen answer is longer, minus the number of pairs whose rejected
    /// answer is longer.
    n_chosen_longer: i64,
    n_wanted: usize,
    n_unwanted: usize,
}

/// The keys by which two rows are compared.
struct RowKeys {
    content: ContentHash,
    texts: u128,
    /// The texts of a row that would contradict this one.
    opposite_texts: u128,
    loose_texts: u128,
}

impl Linter {
    /// The faults of the next pairs.
    pub fn pairs(&mut self, pairs: &[Pair]) -> Vec<Finding> {
        pairs.iter().flat_map(|pair| self.pair(pair)).collect()
    }

    /// The faults of the next single answers.
    pub fn examples(&mut self, examples: &[Example]) -> Vec<Finding> {
        examples.iter().flat_map(|row| self.example(row)).collect()
    }

    fn pair(&mut self, pair: &Pair) -> Vec<Finding> {
        let place = &pair.place;
        let [prompt, chosen, rejected] =
            [&pair.prompt, &pair.chosen, &pair.rejected].map(all_words);
        let loose = [&prompt, &chosen, &rejected].map(|text| loose(text));
        let keys = RowKeys {
            content: pair.content_hash(),
            texts: text_key([&*prompt, &*chosen, &*rejected]),
            opposite_texts: text_key([&*prompt, &*rejected, &*chosen]),
            loose_texts: text_key(loose.each_ref().map(|text| &**text)),
        };
        let contradicts = |first: &str| format!("prefers the answer that {first} rejects");
        let mut findings = self.compare(&keys, contradicts, "pair", place);
        if loose[1] == loose[2] {
            let message = "the answers differ only in case, punctuation or white space";
            findings.push(Finding::new(place, Fault::NearlyIdentical, message));
        }
        let prompt_key = text_key([&*loose[0]]);
        self.prompts.entry(prompt_key).or_insert(place.clone());
        self.n_pairs += 1;
        let n_more = chosen.chars().count() as i64 - rejected.chars().count() as i64;
        self.n_chosen_longer += n_more.signum();
        for (text, answer, is_chosen) in [
            (&pair.chosen, chosen, true),
            (&pair.rejected, rejected, false),
        ] {
            let [here, there] = match is_chosen {
                true => ["chosen", "rejected"],
                false => ["rejected", "chosen"],
            };
            findings.extend(blank(text, &format!("the {here} answer"), place));
            match self.sides.entry(text_key([&*prompt, &*answer])) {
                Entry::Vacant(entry) => {
                    entry.insert((is_chosen, place.clone()));
                }
                Entry::Occupied(first) => {
                    let (was_chosen, first) = first.get();
                    if *was_chosen != is_chosen {
                        let first = first.seen_from(place);
                        let message = format!("the {here} answer is {there} in {first}");
                        findings.push(Finding::new(place, Fault::MixedLabel, message));
                    }
                }
            }
        }
        findings
    }

    fn example(&mut self, example: &Example) -> Vec<Finding> {
        let place = &example.place;
        let [prompt, answer] = [&example.prompt, &example.completion].map(all_words);
        let texts = |label: &str| text_key([&*prompt, &*answer, label]);
        // an answer without a label contradicts no other, so no row has its opposite
        let [label, opposite] = match example.label {
            Some(true) => ["true", "false"],
            Some(false) => ["false", "true"],
            None => ["none", "the opposite of none"],
        };
        let loose_source = loose(&all_words(example.prompt_or_text()));
        let loose = [loose(&prompt), loose(&answer)];
        let keys = RowKeys {
            content: example.content_hash(),
            texts: texts(label),
            opposite_texts: texts(opposite),
            loose_texts: text_key([&*loose[0], &*loose[1], label]),
        };
        let contradicts = |first: &str| format!("the same answer has the other label in {first}");
        let mut findings = self.compare(&keys, contradicts, "answer", place);
        findings.extend(blank(&example.completion, "the answer", place));
        let prompt = text_key([&*loose_source]);
        self.prompts.entry(prompt).or_insert(place.clone());
        match example.label {
            Some(true) => self.n_wanted += 1,
            Some(false) => self.n_unwanted += 1,
            None => {}
        }
        findings
    }

    /// Compares a row with all earlier ones. `noun` is the word for a row in messages.
    fn compare(
        &mut self,
        keys: &RowKeys,
        contradicts: impl Fn(&str) -> String,
        noun: &str,
        place: &Place,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(first) = self.texts.get(&keys.opposite_texts) {
            let message = contradicts(&first.seen_from(place));
            findings.push(Finding::new(place, Fault::Contradiction, message));
        }
        let same_content = first_or_insert(&mut self.contents, keys.content, place);
        let same_texts = first_or_insert(&mut self.texts, keys.texts, place);
        let same_loose = first_or_insert(&mut self.loose_texts, keys.loose_texts, place);
        let duplicate = if let Some(first) = same_content {
            Some((Fault::Duplicate, format!("the same {noun} as {first}")))
        } else if let Some(first) = same_texts {
            let message = format!(
                "the {noun} of {first}, with other tools, template settings or annotations"
            );
            Some((Fault::NearDuplicate, message))
        } else {
            same_loose.map(|first| {
                let message = format!("the {noun} of {first}, apart from case and punctuation");
                (Fault::NearDuplicate, message)
            })
        };
        findings.extend(duplicate.map(|(fault, message)| Finding::new(place, fault, message)));
        findings
    }

    /// A finding if a prompt of the evaluation set is also in this set, the training set.
    pub fn overlap(&self, prompt: &Text, place: &Place) -> Option<Finding> {
        let first = self.prompts.get(&text_key([&*loose(&all_words(prompt))]))?;
        let message = format!("{first} in the training set has the same prompt");
        Some(Finding::new(place, Fault::Overlap, message))
    }

    /// The faults of the set as a whole. Call this after all rows.
    pub fn findings_of_set(&self) -> Vec<Finding> {
        let findings = [self.length_bias(), self.imbalance()];
        findings.into_iter().flatten().collect()
    }

    /// A finding if a sign test shows that one side is the longer one in most pairs: at least 20
    /// pairs, and at least three standard deviations from chance.
    fn length_bias(&self) -> Option<Finding> {
        let (longer, n) = (self.n_chosen_longer, self.n_pairs);
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
                "the {side} answer is the longer one in {share:.0} % of {n} pairs, {:.1} standard deviations from chance; a model may learn length instead of quality (use rdpo, simpo or ld-dpo, which account for length, or add pairs whose {other} answer is the longer one)",
                deviations.abs()
            ),
        })
    }

    /// A finding if one label is more than [`MAX_RATIO`] times as frequent as the other.
    fn imbalance(&self) -> Option<Finding> {
        let (n_wanted, n_other) = (self.n_wanted, self.n_unwanted);
        (n_wanted.max(n_other) > MAX_RATIO * n_wanted.min(n_other)).then(|| Finding {
            place: None,
            fault: Fault::Imbalance,
            message: format!(
                "{n_wanted} answers are wanted and {n_other} are not; kto balances them with desirable_weight and undesirable_weight"
            ),
        })
    }
}

/// Ratio between the labels above which a set is reported as imbalanced.
const MAX_RATIO: usize = 4;

/// The name of the row that first had this key, as seen from `place`. If no row had it, remembers
/// `place` as the first.
fn first_or_insert<K: Eq + std::hash::Hash>(
    first: &mut HashMap<K, Place>,
    key: K,
    place: &Place,
) -> Option<String> {
    match first.entry(key) {
        Entry::Occupied(first) => Some(first.get().seen_from(place)),
        Entry::Vacant(entry) => {
            entry.insert(place.clone());
            None
        }
    }
}

fn blank(answer: &Text, name: &str, place: &Place) -> Option<Finding> {
    let message = format!("{name} holds only white space");
    answer
        .is_blank()
        .then(|| Finding::new(place, Fault::Blank, message))
}

/// All contents of a text, with the roles of its turns.
fn all_words(text: &Text) -> String {
    match text {
        Text::Plain(text) => text.clone(),
        Text::Conversation(turns) => {
            let line = |turn: &Message| format!("{}: {}\n", turn.role, turn.content);
            turns.iter().map(line).collect()
        }
    }
}

/// The letters and digits of a text, in lower case, with one space between words.
fn loose(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
