//! Win rates through a judge. In: prompts, and the answers of a model and of a baseline. Out: the judge's annotations in
//! AlpacaEval's format, in a file and in memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pref_data::read_rows;
use serde_json::{Map, Value, json};

use super::args::Args;
use crate::command_line::{Line, whole};
use crate::commands::annotate;
use crate::json_file;
use crate::rows::{Fields, response_text, write_lines};
use crate::solving::{Drawn, Solving};
use crate::win_rates::{Annotation, Calibration, Standing};

/// The answers that all models are compared with.
pub(super) struct Baseline {
    name: String,
    answers: Vec<Answer>,
}

/// An answer to a prompt.
struct Answer {
    /// The row that it is in.
    row: Map<String, Value>,
    text: String,
}

impl Baseline {
    /// The answers of a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Ok(Self {
            name: path.display().to_string(),
            answers: answers(path)?,
        })
    }
}

/// The judge, and everything that is judged.
pub(super) struct Judged<'a> {
    pub(super) args: &'a Args,
    pub(super) prompts: &'a Path,
    pub(super) judge: &'a str,
    pub(super) baseline: Option<Baseline>,
}

impl Judged<'_> {
    /// How the model stands against the baseline. The first model becomes the baseline if there is none yet.
    pub(super) fn standing(&mut self, model: &Path, folder: &Path) -> Result<Option<Standing>> {
        let args = self.args;
        let solving = Solving {
            sample: &args.sample,
            check: &args.check,
            device: args.device.device,
        };
        let path = folder.join("prompts.jsonl");
        solving.sample(
            self.prompts,
            model,
            &path,
            u64::from(args.seed),
            Drawn::Greedy,
        )?;
        let own = answers(&path)?;
        let name = model.display().to_string();
        let Some(baseline) = &self.baseline else {
            self.baseline = Some(Baseline { name, answers: own });
            return Ok(None);
        };
        let preferences = self.preferences(baseline, &own, folder)?;
        let annotation =
            |((own, other), preference): ((&Answer, &Answer), Option<f64>)| Annotation {
                instruction: instruction(&own.row),
                output_1: other.text.clone(),
                output_2: own.text.clone(),
                generator_1: baseline.name.clone(),
                generator_2: name.clone(),
                annotator: self.judge.to_owned(),
                preference: preference.map(|preference| 1.0 + preference),
            };
        let both = own.iter().zip(&baseline.answers).zip(preferences);
        let annotations: Vec<Annotation> = both.map(annotation).collect();
        json_file::write(&folder.join("annotations.json"), &annotations)?;
        Standing::of(&annotations, &Calibration::default(), u64::from(args.seed)).map(Some)
    }

    /// How far the model's answers are preferred to those of the baseline, 0 to 1; none where the judge has failed.
    fn preferences(
        &self,
        baseline: &Baseline,
        own: &[Answer],
        folder: &Path,
    ) -> Result<Vec<Option<f64>>> {
        ensure!(
            baseline.answers.len() == own.len(),
            "{} has {} answers, and there are {} prompts; give one answer to each prompt, in the order of --prompts",
            baseline.name,
            baseline.answers.len(),
            own.len()
        );
        let mut preferences = vec![None; own.len()];
        let mut pairs = Vec::new();
        for (i, (own, other)) in own.iter().zip(&baseline.answers).enumerate() {
            ensure!(
                own.row.get("prompt") == other.row.get("prompt"),
                "{}: answer {} has another prompt than --prompts; give one answer to each prompt, in the order of --prompts",
                baseline.name,
                i + 1
            );
            // Nobody has to be asked about equal answers, or about an empty one.
            let [own_text, other_text] = [own, other].map(|answer| answer.text.trim());
            preferences[i] = match (own_text, other_text) {
                (own, other) if own == other => Some(0.5),
                ("", _) => Some(0.0),
                (_, "") => Some(1.0),
                _ => {
                    pairs.push(pair(i, own, other).to_string());
                    None
                }
            };
        }
        if pairs.is_empty() {
            return Ok(preferences);
        }
        let [asked, judged] = ["pairs.jsonl", "judged.jsonl"].map(|name| folder.join(name));
        write_lines(&asked, pairs.into_iter().map(Ok))?;
        self.ask(&asked, &judged)?;
        for row in read_rows(&judged)? {
            let row = row?;
            let value = |name: &str| row.object.get(name);
            let i = value("index").and_then(Value::as_u64);
            let preference = value("preference").and_then(Value::as_f64);
            let (Some(i), Some(preference)) = (i, preference) else {
                anyhow::bail!(
                    "{}:{}: `index` or `preference` is missing; remove the file, and run the command again",
                    row.path.display(),
                    row.line
                );
            };
            if let Some(place) = preferences.get_mut(i as usize) {
                *place = Some(preference);
            }
        }
        Ok(preferences)
    }

    /// Runs `pref annotate compare`. All models share a store, beside the result.
    fn ask(&self, pairs: &Path, judged: &Path) -> Result<()> {
        let store: PathBuf = self.args.output.join("annotations.sqlite");
        let line = Line::new("annotate compare")
            .word(pairs)
            .flag("judge", self.judge)
            .flag("store", store)
            .flag("output", judged)
            .flag("device", self.args.device.device.to_string())
            .words(&self.args.compare);
        whole(annotate::compare(&line.parse()?)?)
    }
}

/// The answers of a file, with their rows.
fn answers(path: &Path) -> Result<Vec<Answer>> {
    let fields = Fields::new(&[], &[])?;
    let mut all = Vec::new();
    for row in read_rows(path)? {
        let row = row?;
        let text = response_text(&row.object, &fields)
            .with_context(|| format!("{}:{}", row.path.display(), row.line))?;
        all.push(Answer {
            row: row.object,
            text,
        });
    }
    Ok(all)
}

/// A pair for the judge: the model's answer as the chosen one. `answer` is for judges that check.
fn pair(index: usize, own: &Answer, other: &Answer) -> Value {
    let mut pair = json!({
        "index": index,
        "prompt": own.row.get("prompt"),
        "chosen": own.text,
        "rejected": other.text,
    });
    if let Some(answer) = own.row.get("answer") {
        pair["answer"] = answer.clone();
    }
    // The answers to a conversation are turns of it.
    if pair["prompt"].is_array() {
        for side in ["chosen", "rejected"] {
            pair[side] = json!([{"role": "assistant", "content": pair[side]}]);
        }
    }
    pair
}

/// The prompt as a text; of a conversation, its last turn.
fn instruction(row: &Map<String, Value>) -> String {
    match row.get("prompt") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(turns)) => {
            let last = turns.last().and_then(|turn| turn["content"].as_str());
            last.unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}
