//! `pref sample`: draws several answers to each prompt. In: rows with prompts, and a model or a server. Out: the rows with
//! answers, one for each sample.

mod args;
mod output;
mod prompts;
mod server;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use pref_data::{Tokenizer, is_input};
use pref_model::{Answer, Finish, GenerateError, GenerateOptions, Prompt, Sampler};
use pref_train::{Ranks, TrainBackend};
use serde_json::{Value, json};

use crate::command_line::results;
use crate::device::Task;
use crate::model::ModelSource;
use crate::progress::{self, Counter};
use crate::rows::ensure_json_lines;
use crate::sampling::{MOST_TEXTS, text_of};
use crate::signals::{self, INTERRUPTED};
pub(crate) use args::Args;
use args::BatchSize;
use output::{Output, State};
use prompts::{Prompts, Row};

/// Steps between two exchanges of answers, if there are several ranks.
const STEPS_APART: usize = 16;

pub(crate) fn run(args: &Args, ranks: &dyn Ranks) -> Result<ExitCode> {
    ensure_json_lines(&args.output)?;
    ensure!(
        !is_input(&args.output, std::slice::from_ref(&args.data)),
        "{}: the output file is also an input file; give the output another name",
        args.output.display()
    );
    if let Some(name) = args.server.without_server() {
        bail!(
            "--{name} is for answers of a server; name the server with --server, or leave the flag out"
        );
    }
    if let Some(url) = &args.server.server {
        ensure!(
            ranks.size() == 1,
            "--server: one process sends all questions together; start it without mpirun or srun"
        );
        return server::run(args, url);
    }
    let model = args.model.as_deref();
    let model = model.context("give a decoder with --model, or a chat server with --server")?;
    let stop = signals::stop_flag()?;
    args.device.device.run(Draw {
        args,
        model,
        stop: &stop,
        ranks,
    })
}

struct Draw<'a> {
    args: &'a Args,
    model: &'a Path,
    stop: &'a AtomicBool,
    ranks: &'a dyn Ranks,
}

impl Task for Draw<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let args = self.args;
        let source = ModelSource::new(self.model, args.adapter.as_deref())?;
        let tokenizer = Tokenizer::from_folder(&source.folder)?;
        let model = source.load::<B::InnerBackend>(&args.ignore_config, device)?;
        // An adapter would be computed for every token. The merged model computes the same, and is faster.
        let model = model.merge_lora();
        let temperature = if args.greedy { 0.0 } else { args.temperature };
        let options = args
            .sampling
            .options::<B>(temperature, &model, Some(&tokenizer));
        let origin = match self.ranks.is_first() {
            true => origin(args, &source, &options)?,
            false => Value::Null,
        };
        let mut output = Output::open(&args.output, &origin, self.ranks)?;
        let batch_size = match args.batch_size {
            BatchSize::Texts(n) => n,
            BatchSize::Auto => {
                let of_text = model.config().cache_bytes(options.max_new_tokens);
                automatic(of_text)
            }
        };
        let text = |ids: &[u32]| Ok(tokenizer.decode(ids, true)?);
        let mut sampler = Sampler::with_text(&model, options.clone(), batch_size, &text)?;
        let mut prompts = Prompts::open(args, &tokenizer, self.ranks)?;
        if output.n_before() > 0 {
            let n = output.n_before();
            progress::note(&format!("{n} answers were drawn before"));
        }
        let mut counter = Counter::new("answers");
        let started = Instant::now();
        // One process writes every answer at once.
        let n_steps = match self.ranks.size() {
            1 => 1,
            _ => STEPS_APART,
        };
        let all = loop {
            let mut is_done = false;
            for _ in 0..n_steps {
                while sampler.has_room() {
                    let Some(row) = prompts.next_row(&output)? else {
                        break;
                    };
                    let prompt = Prompt {
                        row: row.place.key(),
                        ids: row.ids.clone(),
                        samples: row.missing.clone(),
                    };
                    match sampler.add(prompt) {
                        Ok(()) => prompts.keep(row),
                        Err(error) => prompts.refuse(&row, error)?,
                    }
                }
                is_done = sampler.is_idle();
                if is_done || self.stop.load(Ordering::SeqCst) {
                    break;
                }
                let answers = sampler.step().map_err(|error| named(self.model, error))?;
                for answer in answers {
                    let row = prompts.row_of(&answer).context("an answer has a row")?;
                    let text = text_of(&answer.ids, &tokenizer, &options)?;
                    let line = line(row, &answer, text);
                    output.put(row.place, &row.key, answer.sample, &line);
                    prompts.release(&answer);
                }
            }
            let n_written = output.n_answers();
            let all = output.exchange(State {
                is_done,
                is_stopped: !is_done && self.stop.load(Ordering::SeqCst),
                new_tokens: sampler.counts().new_tokens,
                prompt_tokens: sampler.counts().prompt_tokens,
            })?;
            counter.set_tokens(all.new_tokens);
            counter.add(output.n_answers() - n_written);
            if all.is_done {
                break all;
            }
            if all.is_stopped {
                progress::note(&format!(
                    "stopped after {} answers; run the same command again to continue",
                    output.n_answers()
                ));
                return Ok(ExitCode::from(INTERRUPTED));
            }
        };
        drop(counter);
        let n_rows = prompts.finish(args)?;
        output.check_all_seen(&args.data)?;
        if self.ranks.is_first() {
            let seconds = started.elapsed().as_secs_f64();
            report(args, &output, n_rows, all, seconds)?;
        }
        output.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The output row of an answer.
fn line(row: &Row, answer: &Answer, text: String) -> Value {
    let mut fields = row.fields.clone();
    fields.insert("response".to_owned(), json!(text));
    fields.insert("sample".to_owned(), json!(answer.sample));
    if let Some(thinking) = row.place.thinking {
        fields.insert("thinking".to_owned(), json!(thinking.name()));
    }
    let finish: Finish = answer.finish;
    fields.insert("finish_reason".to_owned(), json!(finish.name()));
    fields.insert("n_tokens".to_owned(), json!(answer.ids.len()));
    Value::Object(fields)
}

/// What answers depend on, apart from the rows.
fn origin(args: &Args, source: &ModelSource, options: &GenerateOptions) -> Result<Value> {
    let (model, adapter) = source.hashes()?;
    let thinking = args.thinking.map(|thinking| format!("{thinking:?}"));
    Ok(json!({
        "model": model,
        "adapter": adapter,
        "ignore_config": args.ignore_config,
        "n": args.n,
        "max_new_tokens": options.max_new_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "min_p": options.min_p,
        "repetition_penalty": options.repetition_penalty,
        "stop_ids": options.stop_ids,
        "stop": options.stop_strings,
        "seed": options.seed,
        "thinking": thinking,
        "chat_template_kwargs": args.chat_template_kwargs,
    }))
}

/// The number of texts whose keys and values fit into a quarter of the free memory.
fn automatic(bytes_of_text: u64) -> usize {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let fitting = system.available_memory() / 4 / bytes_of_text.max(1);
    usize::try_from(fitting)
        .unwrap_or(MOST_TEXTS)
        .clamp(1, MOST_TEXTS)
}

/// The error of a step, with the way out if the text of the tokens is its cause.
fn named(model: &Path, error: GenerateError) -> anyhow::Error {
    anyhow::Error::new(error).context(model.display().to_string())
}

/// Prints what was drawn.
fn report(
    args: &Args,
    output: &Output<'_>,
    n_rows: usize,
    counts: State,
    seconds: f64,
) -> Result<()> {
    use std::io::Write;
    let speed = counts.new_tokens as f64 / seconds.max(1e-9);
    if args.json {
        let summary = json!({
            "output": args.output,
            "rows": n_rows,
            "answers": output.n_answers(),
            "drawn_before": output.n_before(),
            "prompt_tokens": counts.prompt_tokens,
            "new_tokens": counts.new_tokens,
            "seconds": seconds,
            "tokens_per_second": speed,
        });
        writeln!(results(), "{summary}")?;
    }
    progress::note(&format!(
        "{}: {} answers to {n_rows} rows, {} new tokens, {speed:.0} tokens/s",
        args.output.display(),
        output.n_answers(),
        counts.new_tokens
    ));
    Ok(())
}
