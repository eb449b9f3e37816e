//! Annotation of preference data by judges: score matrices, rewrites, rankings, labelled parts, weights.
//!
//! A judge is a model behind a chat server, a program, or a type of your own. Every question and every reply is in a
//! store, one SQLite file, so nothing is asked twice and nothing is lost if a process is killed.
//!
//! | stage | in | out |
//! |---|---|---|
//! | [`Maker`], [`put_rows`] | rows, a [`Template`] | questions in a [`Store`] |
//! | [`Samples`], [`put_prompts`] | prompts | questions for the answers of a model, in a [`Store`] |
//! | [`ask`], [`Run`] | open questions, a [`Judge`] | replies in the store |
//! | [`ask_in_batches`], [`BatchRun`] | open questions, a [`ChatJudge`] with a batch interface | replies in the store |
//! | [`Task::read`] | a reply | a [`Judgement`], or a [`Complaint`] |
//! | [`Export`] | a job in a store | rows that training reads |
//! | [`agreement`] | judged and labelled rows | Cohen's κ, accuracies, distributions |
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use pref_annotate::{
//!     Basis, Division, Export, Judge, Maker, Orders, Rules, RunOptions, Sampling, Scores, Store,
//!     TemplateKind, Work, ask, put_rows,
//! };
//! use pref_data::{Pair, Record, Text};
//!
//! let [prompt, chosen, rejected] = ["2 + 3?", "2 + 3 = 5\nA: 5", "2 + 3 = 6\nA: 6"]
//!     .map(|text| Text::Plain(text.to_owned()));
//! let rows = vec![Record::Pair(Pair::new(prompt, chosen, rejected, 1))];
//!
//! let template = TemplateKind::Scores.template()?;
//! let work = Work::Scores(Scores::new(&template, Orders::Both, 1)?);
//! let maker = Maker {
//!     work: &work,
//!     template: &template,
//!     sampling: Sampling::default(),
//!     basis: Rules::Gsm8k.basis(),
//!     division: Division::Lines,
//! };
//! let folder = tempfile::tempdir()?;
//! let mut store = Store::open(&folder.path().join("annotations.sqlite"))?;
//! let job = put_rows(&mut store, &maker, Rules::Gsm8k.model(), rows)?;
//! let runtime = tokio::runtime::Runtime::new()?;
//! let stop = AtomicBool::new(false);
//! runtime.block_on(ask(
//!     &store, job, &Rules::Gsm8k, Some(&template), RunOptions::default(), &stop, &mut (),
//! ))?;
//!
//! Export::new(&store, &store.job(None)?)?.each_row(|row| {
//!     assert_eq!(row["chosen_scores"][0][1], 4.0); // correctness of `2 + 3 = 5`
//!     assert_eq!(row["rejected_scores"][0][1], 0.0);
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agreement;
mod annotate;
mod complaint;
mod drawing;
mod judge;
mod limits;
mod parse;
mod random;
mod request;
mod run;
mod settings;
mod store;
mod task;
mod templates;
mod work;

pub use agreement::{Agreement, AspectAgreement, Distribution, Estimate, agreement};
pub use annotate::{ask, ask_in_batches, put_prompts, put_rows, read_replies};
pub use complaint::Complaint;
pub use drawing::Drawing;
pub use judge::{
    ApiKey, Ask, Basis, ChatError, ChatJudge, ChatOptions, Fault, Format, Judge, JudgeError,
    KeyError, Reply, Rules, ServerKind, UnknownRules, Usage, final_number, same_number,
};
pub use limits::{ConcurrencyOptions, PriceError, Prices, RateOptions, RetryOptions};
pub use request::{ChatMessage, Facts, Key, Request, Role, Sampling};
pub use run::{BatchRun, End, Observer, Run, RunError, RunOptions, RunProgress, RunReport};
pub use settings::{
    AnnotateSettings, BudgetSettings, JudgeSettings, RequestSettings, SettingsError, WorkSettings,
};
pub use store::{
    Cost, Counts, Drift, Ended, FailedUnit, Failure, Forecast, Item, Job, JobId, Limits, NewJob,
    Outcome, Progress, Reservation, Reserved, Review, Slot, Spend, Store, StoreError, UnitId,
    Writer,
};
pub use task::{Copy, Judgement, PARSER_VERSION, Task, Winner};
pub use templates::{Aspect, Template, TemplateError, TemplateKind};
pub use work::{
    ASPECT_NAMES, Bridge, Compare, Distance, Distances, Division, Export, ExportReport, Flip,
    Flips, Interval, Maker, Orders, Parts, Prepared, Produced, Rank, RankBy, Samples, Scores,
    Variant, Weights, Work, WorkError, review,
};
