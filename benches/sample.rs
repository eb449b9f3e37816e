//! Tokens per second of sampling on a CPU, compared with `generate` of transformers. In: a model, and questions. Out: a
//! table, with the floor of the same work beside it.
//!
//! Run `cargo xtask bench sample --model FOLDER [--python VENV/bin/python] [--data PAIRS.jsonl] [--rows 8] [--n 8]
//! [--max-new-tokens 256] [--batch-sizes 16,32,64]`. Without `--data` the prompts are those of the fixtures' GSM8K rows. A
//! model with a chat template gets them as messages. The Python side needs transformers and torch, and is measured with
//! each of the batch sizes. Loading the model does not count on either side.
//!
//! The floor of a step is the larger of two times: to read all weights, and to multiply them with the new tokens.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pref_benches::machine::{fastest_product, read_speed};
use pref_benches::programs::{build_pref, watch};
use pref_data::{Tokenizer, read_prompts};
use pref_model::Config;
use serde_json::{Value, json};

/// How much is sampled.
struct Work {
    model: PathBuf,
    data: PathBuf,
    n: usize,
    max_new_tokens: usize,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    let number = |name: &str, default: usize| {
        value(name).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{name} needs a number, found {text}"))
        })
    };
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures/gsm8k/dpo-llama.jsonl"
    );
    let data = value("--data").map_or_else(|| PathBuf::from(fixture), PathBuf::from);
    let Some(model) = value("--model").map(PathBuf::from) else {
        return eprintln!("give a model folder with --model");
    };
    let folder = tempfile::tempdir().expect("the disk has room for some rows");
    let work = Work {
        data: prompts(&data, number("--rows", 8), &model, folder.path()),
        model,
        n: number("--n", 8),
        max_new_tokens: number("--max-new-tokens", 256),
    };
    let sizes = value("--batch-sizes").unwrap_or_else(|| "16,32,64".to_owned());
    println!(
        "{}, {} samples of each prompt, at most {} tokens",
        work.model.display(),
        work.n,
        work.max_new_tokens
    );
    println!("{:<28} {:>9} {:>9} {:>8}", "", "tokens", "tokens/s", "GB");
    let pref = build_pref();
    let mut best = [0.0_f64; 2];
    let rounds = number("--rounds", 1);
    for _ in 0..rounds {
        if let Some(python) = value("--python") {
            best[0] = best[0].max(transformers(&python, &work, &sizes).unwrap_or(0.0));
        }
        best[1] = best[1].max(sample(&pref, &work, folder.path()).unwrap_or(0.0));
    }
    if best[0] > 0.0 {
        println!(
            "pref: {:.2} times the best of transformers",
            best[1] / best[0]
        );
    }
    floor(&work, best[1]);
}

/// A file with the first prompts of another, as messages if the model has a chat template.
fn prompts(data: &Path, n: usize, model: &Path, folder: &Path) -> PathBuf {
    let tokenizer = Tokenizer::from_folder(model).expect("the model has a tokenizer");
    let rows = read_prompts(&[data], &Default::default()).expect("--data can be read");
    let lines = rows.take(n).map(|row| {
        let text = row.expect("every row has a prompt").prompt.to_string();
        let prompt = match tokenizer.has_chat_template() {
            true => json!([{"role": "user", "content": text}]),
            false => json!(text),
        };
        format!("{}\n", json!({"prompt": prompt}))
    });
    let path = folder.join("prompts.jsonl");
    std::fs::write(&path, lines.collect::<String>()).expect("the disk has room for some rows");
    path
}

fn show(name: &str, tokens: f64, speed: f64, memory: f64) {
    println!("{name:<28} {tokens:>9.0} {speed:>9.1} {memory:>8.2}");
}

/// Tokens per second of `pref sample`, with no setting that changes how it computes.
fn sample(pref: &Path, work: &Work, folder: &Path) -> Option<f64> {
    let output = folder.join("samples.jsonl");
    let _ = std::fs::remove_file(&output);
    let mut child = Command::new(pref)
        .arg("sample")
        .arg(&work.data)
        .args(["--model".as_ref(), work.model.as_os_str()])
        .args(["--output".as_ref(), output.as_os_str()])
        .args(["--n", &work.n.to_string()])
        .args(["--max-new-tokens", &work.max_new_tokens.to_string()])
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let (memory, _) = watch(&mut child, None)?;
    let output = child.wait_with_output().ok()?;
    let summary: Value = serde_json::from_slice(&output.stdout).ok()?;
    let speed = summary["tokens_per_second"].as_f64()?;
    show("pref", summary["new_tokens"].as_f64()?, speed, memory);
    Some(speed)
}

/// The tokens per second of transformers in its best batch size: `sample_peer.py` has the settings.
fn transformers(python: &str, work: &Work, sizes: &str) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_peer.py");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let output = Command::new(python)
        .arg(script)
        .args(["--model".as_ref(), work.model.as_os_str()])
        .args(["--data".as_ref(), work.data.as_os_str()])
        .args(["--n", &work.n.to_string()])
        .args(["--max-new-tokens", &work.max_new_tokens.to_string()])
        .args(["--threads", &threads.to_string()])
        .args(["--batch-sizes", sizes])
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut best = None;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).ok()?;
        let (tokens, seconds) = (line["tokens"].as_f64()?, line["seconds"].as_f64()?);
        let speed = tokens / seconds;
        let name = format!("transformers, batch of {}", line["batch"]);
        show(&name, tokens, speed, line["memory"].as_f64()? / 1e9);
        best = Some(best.map_or(speed, |best: f64| best.max(speed)));
    }
    best
}

/// Prints the tokens per second of steps of 1 and of 64 texts that only read the weights and multiply.
fn floor(work: &Work, reached: f64) {
    let config = Config::from_folder(&work.model).expect("a config.json");
    let cost = config.cost();
    let weights = (cost.layer_products + cost.head_products) as f64;
    let read = 4.0 * weights / read_speed();
    let of_text = 2.0 * weights / fastest_product();
    for texts in [1.0, 64.0] {
        let speed = texts / f64::max(read, of_text * texts);
        let share = reached / speed;
        println!(
            "the floor for {texts:>2} texts          {speed:>9.0} tokens/s; pref reaches {share:.2} of it"
        );
    }
}
