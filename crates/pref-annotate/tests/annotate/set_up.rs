//! What most tests need: pairs, a store, a judge, and a run. In: a server. Out: a report and the rows of the output.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pref_annotate::{
    ApiKey, Basis, ChatJudge, ChatOptions, Division, End, Export, ExportReport, Format, Job, JobId,
    Judge, Maker, Orders, Prices, RetryOptions, RunOptions, RunReport, Sampling, Scores,
    ServerKind, Store, Template, TemplateKind, Work, ask, put_rows, read_replies,
};
use pref_data::{Pair, Record, Text};
use serde_json::Value;
use tempfile::TempDir;

/// `n` pairs of short answers.
pub(crate) fn pairs(n: usize) -> Vec<Record> {
    let pair = |i: usize| {
        let texts = [
            format!("What is {i} + 1?"),
            format!("It is {}. That is all.", i + 1),
            "I do not know.".to_owned(),
        ];
        let [prompt, chosen, rejected] = texts.map(Text::Plain);
        Record::Pair(Pair::new(prompt, chosen, rejected, i + 1))
    };
    (0..n).map(pair).collect()
}

/// A store in a folder of its own, and the work that is done in it.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) work: Work,
    pub(crate) template: Template,
    pub(crate) options: RunOptions,
    pub(crate) timeout: Duration,
    /// The store of another process.
    pub(crate) at: Option<PathBuf>,
}

impl Bench {
    /// Scores in one order, with short waits.
    pub(crate) fn new() -> Self {
        let template = TemplateKind::Scores.template().expect("a template");
        let scores = Scores::new(&template, Orders::One, 1).expect("aspects");
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            work: Work::Scores(scores),
            template,
            options: RunOptions {
                retry: RetryOptions {
                    first_wait: 0.001,
                    longest_wait: 0.01,
                    ..RetryOptions::default()
                },
                prices: Prices {
                    input: Some(1.0),
                    cached: Some(0.5),
                    output: Some(2.0),
                },
                ..RunOptions::default()
            },
            timeout: Duration::from_millis(400),
            at: None,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        let own = || self.folder.path().join("annotations.sqlite");
        self.at.clone().unwrap_or_else(own)
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path()).expect("a store")
    }

    pub(crate) fn maker(&self, judge: &impl Judge) -> Maker<'_> {
        Maker {
            work: &self.work,
            template: &self.template,
            sampling: Sampling::default(),
            basis: judge.basis(),
            division: Division::Sentences,
        }
    }

    pub(crate) fn put(&self, judge: &impl Judge, records: Vec<Record>) -> JobId {
        let maker = self.maker(judge);
        let mut store = self.store();
        let job = put_rows(&mut store, &maker, judge.model(), records).expect("rows");
        if judge.basis() == Basis::Messages {
            read_replies(&mut store, job, Some(&self.template), judge.model()).expect("replies");
        }
        job
    }

    pub(crate) async fn run(&self, judge: &impl Judge, job: JobId) -> RunReport {
        let store = self.store();
        let stop = AtomicBool::new(false);
        let options = self.options;
        let mut observer = ();
        let run = ask(
            &store,
            job,
            judge,
            Some(&self.template),
            options,
            &stop,
            &mut observer,
        );
        run.await.expect("a run")
    }

    pub(crate) async fn judge(&self, url: &str) -> ChatJudge {
        ChatJudge::connect(&self.chat_options(url))
            .await
            .expect("a chat server")
    }

    pub(crate) fn chat_options(&self, url: &str) -> ChatOptions {
        ChatOptions {
            url: url.to_owned(),
            model: Some("judge".to_owned()),
            key: ApiKey::none(),
            format: Format::Auto,
            server: ServerKind::Auto,
            timeout: self.timeout,
            check: true,
        }
    }

    /// Puts `n` pairs into the store and asks a server.
    pub(crate) fn scored(&self, url: &str, n: usize) -> (RunReport, JobId) {
        block_on(async {
            let judge = self.judge(url).await;
            let job = self.put(&judge, pairs(n));
            (self.run(&judge, job).await, job)
        })
    }

    pub(crate) fn job(&self) -> Job {
        self.store().job(None).expect("a job")
    }

    pub(crate) fn rows(&self) -> (Vec<Value>, ExportReport) {
        let store = self.store();
        let mut rows = Vec::new();
        let export = Export::new(&store, &self.job()).expect("a job");
        let report = export.each_row(|row| {
            rows.push(row.clone());
            Ok(())
        });
        (rows, report.expect("an output"))
    }
}

#[track_caller]
pub(crate) fn assert_complete(report: &RunReport) {
    assert_eq!(report.end, End::Complete, "{report:?}");
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}
