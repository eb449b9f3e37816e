//! Tokens per second and memory of DPO on a CPU, with no setting changed, compared with TRL. In: GSM8K pairs. Out:
//! a table, with the floor of the same work beside it.
//!
//! Run `cargo xtask bench train --python VENV/bin/python [--model FOLDER] [--data PAIRS.jsonl]`. The first model is a
//! Llama with 7.3 million random weights, the second the one of `--model`. Without `--data` the pairs are those of the
//! fixtures. Without `--python` only Pref is measured. The Python side needs trl, transformers and torch. Each side
//! trains in a process of its own, in turn. The first step does not count.
//!
//! The floor is the number of floating-point operations of the matrix products that no implementation can leave
//! out (a prompt once for both answers, logits of response tokens only, attention to visible tokens only), divided
//! by the speed of a large matrix product on this machine.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result"
)]

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use burn::backend::Flex;
use pref_benches::machine::fastest_product;
use pref_benches::programs::{build_pref, watch};
use pref_benches::text::tokenizer_folder;
use pref_data::{ReadError, ReadOptions, TokenizeOptions, Tokenizer, each_pair, tokenize};
use pref_model::{Config, Decoder, LlamaSizes, SaveDtype};
use serde_json::Value;

/// Longest sequence of both sides.
const MAX_LENGTH: usize = 1024;

/// How much is trained.
struct Work {
    model: PathBuf,
    data: PathBuf,
    steps: usize,
    batch: usize,
}

/// What was measured of one side.
#[derive(Clone, Debug)]
struct Measured {
    tokens_per_second: f64,
    /// Largest resident size, GB.
    memory: f64,
    losses: Vec<f64>,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures/gsm8k/dpo-llama.jsonl"
    );
    let data = value("--data").map_or_else(|| PathBuf::from(fixture), PathBuf::from);
    let number = |name: &str| {
        let text = value(name)?;
        Some(
            text.parse()
                .unwrap_or_else(|_| panic!("{name} needs a number, found {text}")),
        )
    };
    let folder = tempfile::tempdir().expect("the disk has room for a model");
    let small = (small_llama(folder.path()), 8);
    let models = std::iter::once(small).chain(value("--model").map(|model| (model.into(), 4)));
    let pref = build_pref();
    for (model, batch) in models {
        let steps: usize = number("--steps").unwrap_or(4);
        let batch = number("--batch").unwrap_or(batch);
        let work = Work {
            model,
            data: first_rows(&data, steps * batch, folder.path()),
            steps,
            batch,
        };
        let rounds = number("--rounds").unwrap_or(2);
        compare(
            &work,
            rounds,
            &pref,
            value("--python").as_deref(),
            folder.path(),
        );
    }
}

/// Trains with both sides in turn, and prints what each reaches.
fn compare(work: &Work, rounds: usize, pref: &Path, python: Option<&str>, folder: &Path) {
    println!(
        "{}, {} pairs a step, {} steps, {rounds} rounds in turn",
        work.model.display(),
        work.batch,
        work.steps
    );
    println!(
        "{:<28} {:>9} {:>8} {:>10}",
        "", "tokens/s", "GB", "last loss"
    );
    let floor = floor(work);
    let mut best: [Option<Measured>; 2] = [None, None];
    for _ in 0..rounds {
        if let Some(python) = python {
            keep_faster(&mut best[0], "TRL", trl(python, work));
        }
        keep_faster(&mut best[1], "pref", pref_train(pref, work, folder));
    }
    if let [Some(trl), Some(pref)] = &best {
        println!(
            "the faster of each: {:.2} times TRL's tokens per second, {:.2} of its memory",
            pref.tokens_per_second / trl.tokens_per_second,
            pref.memory / trl.memory
        );
    }
    if let Some(pref) = &best[1] {
        let share = pref.tokens_per_second / floor;
        println!(
            "{:<28} {floor:>9.0}   pref reaches {share:.2} of it\n",
            "floor"
        );
    }
}

/// Prints a measurement, and keeps the faster one.
fn keep_faster(best: &mut Option<Measured>, name: &str, measured: Option<Measured>) {
    let Some(measured) = measured else {
        return eprintln!("{name} failed; see above");
    };
    println!(
        "{name:<28} {:>9.1} {:>8.2} {:>10.6}",
        measured.tokens_per_second,
        measured.memory,
        measured.losses.last().copied().unwrap_or(f64::NAN)
    );
    let is_faster = |best: &Measured| measured.tokens_per_second > best.tokens_per_second;
    if best.as_ref().is_none_or(is_faster) {
        *best = Some(measured);
    }
}

/// A Llama of 7.3 million weights with the tokenizer of the fixtures.
fn small_llama(folder: &Path) -> PathBuf {
    let config = Config::llama(&LlamaSizes {
        vocab: 8192,
        hidden: 256,
        intermediate: 688,
        layers: 4,
        heads: 8,
        kv_heads: 8,
        positions: MAX_LENGTH,
        eos: 2,
        pad: 0,
    })
    .expect("the sizes fit each other");
    let model = Decoder::<Flex>::init(&config, 1, &Default::default());
    let path = folder.join("llama-7m");
    std::fs::create_dir(&path).expect("the folder is new");
    model
        .save(&path, SaveDtype::F32)
        .expect("the disk has room for a model");
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(tokenizer_folder().join(file), path.join(file))
            .expect("fixtures are in the repository");
    }
    path
}

/// A file with the first rows of another, so that neither side scores rows that it does not train on.
fn first_rows(data: &Path, n: usize, folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(data).expect("--data names a file that can be read");
    let rows: Vec<&str> = text.lines().take(n).collect();
    let path = folder.join("pairs.jsonl");
    std::fs::write(&path, rows.join("\n") + "\n").expect("the disk has room for some rows");
    path
}

/// Trains with `pref train`, with no setting that changes how it computes.
fn pref_train(pref: &Path, work: &Work, folder: &Path) -> Option<Measured> {
    let run = folder.join("run");
    let _ = std::fs::remove_dir_all(&run);
    let mut command = Command::new(pref);
    command
        .args(["train", "--objective", "dpo"])
        .args(["--model".as_ref(), work.model.as_os_str()])
        .args(["--data".as_ref(), work.data.as_os_str()])
        .args(["--output".as_ref(), run.as_os_str()]);
    let max_length = format!("data.max-length={MAX_LENGTH}");
    let steps = format!("train.steps={}", work.steps);
    let batch = format!("train.batch-size={}", work.batch);
    for setting in [
        max_length.as_str(),
        &steps,
        &batch,
        "data.shuffle=false",
        "train.schedule=constant",
        "train.save-minutes=0",
        "output.last-checkpoint=false",
    ] {
        command.args(["--set", setting]);
    }
    let messages = tempfile::tempfile().ok()?;
    let mut child = command
        .stderr(messages.try_clone().ok()?)
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    let metrics = run.join("metrics.jsonl");
    let (memory, times) = watch(&mut child, Some(&metrics))?;
    let metrics = std::fs::read_to_string(metrics).unwrap_or_default();
    let metrics = metrics
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let metrics: Vec<Value> = metrics.collect();
    if times.len() != work.steps || metrics.len() != work.steps {
        print_from_start(messages);
        return None;
    }
    let number = |line: &Value, key: &str| line[key].as_f64();
    let tokens = number(metrics.last()?, "num_tokens")? - number(metrics.first()?, "num_tokens")?;
    let seconds = times.last()?.duration_since(*times.first()?).as_secs_f64();
    Some(Measured {
        tokens_per_second: tokens / seconds,
        memory,
        losses: metrics
            .iter()
            .filter_map(|line| number(line, "loss"))
            .collect(),
    })
}

/// Prints what a process has written into a file.
fn print_from_start(mut file: File) {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    eprintln!("{}{text}", if read.is_ok() { "" } else { "unreadable: " });
}

/// Trains with TRL and its fastest settings for a CPU: `dpo_peer.py` has them.
fn trl(python: &str, work: &Work) -> Option<Measured> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/dpo_peer.py");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let output = Command::new(python)
        .arg(script)
        .args(["--model".as_ref(), work.model.as_os_str()])
        .args(["--data".as_ref(), work.data.as_os_str()])
        .args(["--steps", &work.steps.to_string()])
        .args(["--batch", &work.batch.to_string()])
        .args(["--max-length", &MAX_LENGTH.to_string()])
        .args(["--threads", &threads.to_string()])
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        Err(error) => {
            eprintln!("{python}: {error}");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let result: Value = serde_json::from_str(text.lines().next_back()?).ok()?;
    let numbers = |key: &str| -> Vec<f64> {
        let list = result[key].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_f64).collect()
    };
    let after_first = |key: &str| numbers(key).iter().skip(1).sum::<f64>();
    let (tokens, seconds) = (after_first("tokens"), after_first("seconds"));
    Some(Measured {
        tokens_per_second: tokens / seconds,
        memory: result["memory"].as_f64()? / 1e9,
        losses: numbers("losses"),
    })
}

/// Tokens per second if a step were only its matrix products, at the speed of a large one.
fn floor(work: &Work) -> f64 {
    let config = std::fs::read_to_string(work.model.join("config.json")).expect("a config.json");
    let config: Value = serde_json::from_str(&config).expect("config.json is JSON");
    let size = |key: &str| config[key].as_f64();
    let hidden = size("hidden_size").expect("hidden_size");
    let heads = size("num_attention_heads").expect("num_attention_heads");
    let head_dim = size("head_dim").unwrap_or(hidden / heads);
    let kv_heads = size("num_key_value_heads").unwrap_or(heads);
    let layers = size("num_hidden_layers").expect("num_hidden_layers");
    let inner = size("intermediate_size").expect("intermediate_size");
    let vocab = size("vocab_size").expect("vocab_size");
    let of_token =
        layers * (hidden * (2.0 * heads + 2.0 * kv_heads) * head_dim + 3.0 * hidden * inner);

    let tokenizer = Tokenizer::from_folder(&work.model).expect("the model has a tokenizer");
    let options = TokenizeOptions {
        max_length: Some(MAX_LENGTH),
        ..TokenizeOptions::default()
    };
    let (mut tokens, mut products) = (0.0, 0.0);
    let read = each_pair::<ReadError>(&work.data, &ReadOptions::default(), |pairs| {
        for pair in tokenize(&pairs, &tokenizer, &options)
            .expect("the pairs fit")
            .rows
        {
            let [prompt, chosen, rejected] =
                [&pair.prompt, &pair.chosen, &pair.rejected].map(|ids| ids.len() as f64);
            let all = prompt + chosen + rejected;
            let triangle = |n: f64| n * (n + 1.0) / 2.0;
            let seen = triangle(prompt)
                + [chosen, rejected]
                    .map(|n| n * prompt + triangle(n))
                    .iter()
                    .sum::<f64>();
            tokens += 2.0 * prompt + chosen + rejected;
            products += all * of_token
                + (chosen + rejected) * vocab * hidden
                + seen * 2.0 * layers * heads * head_dim;
        }
        Ok(())
    });
    read.expect("the pairs can be read");
    // A product of a multiplication and an addition, forward and for both gradients.
    let operations = 6.0 * products;
    tokens / (operations / fastest_product())
}
