//! Answers drawn from a server. In: servers that answer well or badly. Out: a row for every answer, also an empty or a cut
//! one; a failure for every refusal; requests with what the flags say.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pref_annotate::{
    ChatOptions, Drawing, End, Export, ExportReport, JobId, RunReport, Samples, Sampling,
    ServerKind, ask, ask_in_batches, put_prompts,
};
use pref_data::PromptRow;
use serde_json::{Value, json};

use crate::batch_server::BatchServer;
use crate::server::{Act, Server, chat, ok, status};
use crate::set_up::{Bench, assert_complete, block_on};

/// `n` rows: a text, a conversation, and so on by turns.
fn prompts(n: usize) -> Vec<PromptRow> {
    let row = |i: usize| {
        let question = format!("What is {i} + 1?");
        let prompt = match i % 2 {
            0 => json!(question),
            _ => json!([
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": question}
            ]),
        };
        json!({"prompt": prompt, "answer": i + 1}).to_string()
    };
    rows((0..n).map(row))
}

fn rows(lines: impl Iterator<Item = String>) -> Vec<PromptRow> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("a file");
    let rows = pref_data::read_prompts(&[path], &Default::default()).expect("a file");
    rows.collect::<Result<_, _>>().expect("rows")
}

fn samples(n: u32) -> Samples {
    Samples {
        n,
        seed: 3,
        sampling: Sampling {
            temperature: 0.7,
            top_p: 0.9,
        },
        drawing: Drawing {
            max_tokens: 50,
            stop: vec!["\n\n".to_owned()],
            ..Drawing::default()
        },
    }
}

/// Draws answers to rows.
fn draw(
    bench: &Bench,
    options: &ChatOptions,
    samples: &Samples,
    rows: &[PromptRow],
) -> (RunReport, JobId) {
    block_on(async {
        let judge = pref_annotate::ChatJudge::connect(options).await;
        let judge = judge.expect("a chat server");
        let mut store = bench.store();
        let job = put_prompts(&mut store, samples, "judge", rows).expect("rows");
        let stop = AtomicBool::new(false);
        let options = bench.options;
        let run = ask(&store, job, &judge, None, options, &stop, &mut ()).await;
        (run.expect("a run"), job)
    })
}

fn output(bench: &Bench) -> (Vec<Value>, ExportReport) {
    let store = bench.store();
    let mut rows = Vec::new();
    let export = Export::new(&store, &bench.job()).expect("a job");
    let report = export.each_row(|row| {
        rows.push(row.clone());
        Ok(())
    });
    (rows, report.expect("an output"))
}

fn with_finish(text: &str, finish: &str) -> Act {
    let mut reply = chat(text);
    reply["choices"][0]["finish_reason"] = json!(finish);
    ok(&reply)
}

#[test]
fn every_answer_has_a_row_and_a_seed_of_its_own() {
    let server = Server::start(|asked| ok(&chat(&asked.body["seed"].to_string())));
    let bench = Bench::new();
    let options = bench.chat_options(&server.url);
    let (report, _) = draw(&bench, &options, &samples(3), &prompts(4));
    assert_complete(&report);
    let (found, report) = output(&bench);
    assert_eq!((report.n_items, report.n_rows), (12, 12));
    for (i, row) in found.iter().enumerate() {
        assert_eq!(row["answer"], i / 3 + 1);
        assert_eq!(row["sample"], i % 3);
        assert_eq!(
            (&row["finish_reason"], &row["n_tokens"]),
            (&json!("stop"), &json!(20))
        );
    }
    let mut seeds: Vec<&Value> = found.iter().map(|row| &row["response"]).collect();
    seeds.sort_by_key(|seed| seed.to_string());
    seeds.dedup();
    assert_eq!(seeds.len(), 12);
    {
        let bodies = server.seen.bodies.lock().expect("no panic");
        let first = &bodies[0];
        let set = |name: &str| first[name].clone();
        assert_eq!(set("temperature"), 0.7);
        assert_eq!(set("top_p"), 0.9);
        assert_eq!(set("max_tokens"), 50);
        assert_eq!(set("stop"), json!(["\n\n"]));
        for absent in ["response_format", "top_k", "min_p", "chat_template_kwargs"] {
            assert!(first.get(absent).is_none(), "{first}");
        }
        assert_eq!(
            first["messages"],
            json!([{"role": "user", "content": "What is 0 + 1?"}])
        );
        let system = bodies
            .iter()
            .filter(|body| body["messages"][0]["role"] == "system");
        assert_eq!(system.count(), 6);
    }

    // More answers, other places: only what is new is asked.
    let mut more = prompts(5);
    more.rotate_left(2);
    draw(&bench, &options, &samples(4), &more);
    assert_eq!(server.total(), 20);
    let (again, _) = output(&bench);
    let old = |row: &&Value| row["answer"] == 1 && row["sample"] != 3;
    let old: Vec<&Value> = again.iter().filter(old).collect();
    assert_eq!(old, found[..3].iter().collect::<Vec<_>>());
    // Another limit or another seed is another question.
    let mut shorter = samples(1);
    shorter.drawing.max_tokens = 49;
    draw(&bench, &options, &shorter, &prompts(1));
    let mut other = samples(1);
    other.seed = 4;
    draw(&bench, &options, &other, &prompts(1));
    assert_eq!(server.total(), 22);
}

#[test]
fn equal_prompts_get_different_answers() {
    let server = Server::start(|asked| ok(&chat(&asked.body["seed"].to_string())));
    let bench = Bench::new();
    let same = rows((0..3).map(|_| json!({"prompt": "2 + 2?"}).to_string()));
    draw(&bench, &bench.chat_options(&server.url), &samples(2), &same);
    assert_eq!(server.total(), 6);
    let (found, _) = output(&bench);
    let mut answers: Vec<&str> = found
        .iter()
        .filter_map(|row| row["response"].as_str())
        .collect();
    answers.sort_unstable();
    answers.dedup();
    assert_eq!(answers.len(), 6);
}

#[test]
fn an_empty_or_cut_answer_is_an_answer_and_a_refusal_is_a_failure() {
    let server = Server::start(|asked| match asked.total {
        0 => status(429, "slow down"),
        1 => with_finish("", "stop"),
        2 => with_finish("It is", "length"),
        3 => {
            let mut reply = chat("It is 3.");
            reply["choices"][0]["message"]["reasoning_content"] = json!("2 + 1");
            ok(&reply)
        }
        4 => {
            let mut reply = chat("");
            reply["choices"][0]["message"]["refusal"] = json!("I will not");
            ok(&reply)
        }
        5 => status(500, "oops"),
        _ => with_finish("</think>", "stop"),
    });
    let mut bench = Bench::new();
    bench.options.concurrency.most = 1;
    bench.options.concurrency.start = 1;
    let options = bench.chat_options(&server.url);
    let (report, job) = draw(&bench, &options, &samples(5), &prompts(1));
    assert_complete(&report);
    // One was turned away, one failed at first.
    assert_eq!(server.total(), 7);
    let (found, report) = output(&bench);
    assert_eq!((report.n_items, report.n_rows, report.n_failed), (5, 4, 1));
    let has = |text: &str, finish: &str| {
        let mut rows = found.iter();
        let row = rows.find(|row| row["response"] == text);
        let row = row.unwrap_or_else(|| panic!("{text}: {found:?}"));
        assert_eq!(row["finish_reason"], finish);
        row.clone()
    };
    has("", "stop");
    has("It is", "length");
    has("</think>", "stop");
    assert_eq!(has("It is 3.", "stop")["reasoning"], "2 + 1");
    let failures = bench.store().failures(job).expect("failures");
    assert!(
        failures[0].reason.contains("the model refuses: I will not"),
        "{failures:?}"
    );
    // `retry` asks for it again.
    assert_eq!(bench.store().reopen(job).expect("a store"), 1);
    draw(&bench, &options, &samples(5), &prompts(1));
    assert_eq!(output(&bench).1.n_rows, 5);
}

#[test]
fn what_openai_lacks_goes_to_servers_that_take_it_only() {
    let server = Server::start(|_| ok(&chat("3")));
    let mut drawn = samples(1);
    drawn.drawing.top_k = 20;
    drawn.drawing.repetition_penalty = 1.1;
    let kwargs = json!({"prompt": "1?", "chat_template_kwargs": {"enable_thinking": false}});
    let rows = rows([kwargs.to_string()].into_iter());
    let sent = |kind: ServerKind, drawn: &Samples| {
        let bench = Bench::new();
        let mut options = bench.chat_options(&server.url);
        options.server = kind;
        let before = server.total();
        let (report, _) = draw(&bench, &options, drawn, &rows);
        let bodies = server.seen.bodies.lock().expect("no panic");
        (report.end, bodies.get(before).cloned())
    };
    let (_, vllm) = sent(ServerKind::Vllm, &drawn);
    let vllm = vllm.expect("a request");
    assert_eq!((&vllm["top_k"], &vllm["min_p"]), (&json!(20), &json!(0.0)));
    assert_eq!(vllm["repetition_penalty"], 1.1);
    assert_eq!(vllm["chat_template_kwargs"]["enable_thinking"], false);
    let (_, llama) = sent(ServerKind::LlamaCpp, &samples(1));
    let llama = llama.expect("a request");
    // The server has other values by default.
    assert_eq!(
        (&llama["top_k"], &llama["repeat_penalty"]),
        (&json!(-1), &json!(1.0))
    );
    // The servers of the tests do not say what they are.
    let (End::Refused { message }, None) = sent(ServerKind::Auto, &drawn) else {
        panic!("top-k was sent");
    };
    assert!(message.contains("leave --top-k out"), "{message}");
    let (End::Refused { message }, None) = sent(ServerKind::Other, &samples(1)) else {
        panic!("the settings of the template were sent");
    };
    assert!(message.contains("chat-template-kwargs"), "{message}");
}

#[test]
fn a_setting_that_the_server_refuses_ends_the_run() {
    let message = "Unsupported value: 'temperature' does not support 0.7 with this model.";
    let server = Server::start(move |_| status(400, message));
    let mut bench = Bench::new();
    bench.options.concurrency.start = 1;
    let options = bench.chat_options(&server.url);
    let (report, job) = draw(&bench, &options, &samples(1), &prompts(8));
    assert!(matches!(report.end, End::Refused { .. }), "{report:?}");
    let counts = bench.store().counts(job).expect("counts");
    assert_eq!((counts.open, counts.failed), (8, 0));
}

#[test]
fn a_batch_brings_answers_as_they_are() {
    let server = BatchServer::start(1, |_, _| {
        let mut reply = chat("It is");
        reply["choices"][0]["finish_reason"] = json!("length");
        Some((200, reply))
    });
    let bench = Bench::new();
    let report = block_on(async {
        let judge = bench.judge(&server.url).await;
        let mut store = bench.store();
        let job = put_prompts(&mut store, &samples(2), "judge", &prompts(2)).expect("rows");
        let (poll, stop) = (Duration::from_millis(2), AtomicBool::new(false));
        let options = bench.options;
        let mut observer = ();
        let run = ask_in_batches(
            &mut store,
            job,
            &judge,
            None,
            options,
            poll,
            &stop,
            &mut observer,
        );
        run.await.expect("a run")
    });
    assert_complete(&report);
    let (found, report) = output(&bench);
    assert_eq!((report.n_rows, report.n_failed), (4, 0));
    assert!(found.iter().all(|row| row["finish_reason"] == "length"));
    assert_eq!(server.seen.lock().expect("no panic").n_questions(), 4);
}

#[test]
fn rows_and_settings_that_cannot_be_asked_are_named() {
    let wrong = |row: Value| {
        let rows = rows([row.to_string()].into_iter());
        let error = samples(1).check_row(&rows[0]).expect_err("a wrong row");
        error.to_string()
    };
    let taken = wrong(json!({"prompt": "1?", "response": "x"}));
    assert!(taken.contains("has a field `response`"), "{taken}");
    let tools = wrong(json!({"prompt": "1?", "tools": [{"name": "f"}]}));
    assert!(tools.contains("has `tools`"), "{tools}");
    let turns = [
        json!({"role": "tool", "content": "1"}),
        json!({"role": "user", "content": "1?"}),
    ];
    let role = wrong(json!({"prompt": turns}));
    assert!(role.contains("the role `tool`"), "{role}");
    let mut drawn = samples(1);
    drawn.drawing.min_p = 2.0;
    let error = drawn.check().expect_err("a wrong setting").to_string();
    assert_eq!(error, "min-p: expected between 0 and 1, found 2");
}
