//! Pages about runs, parsed as a browser parses them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, CharacterTokens, EndTag, ParseError, StartTag, TagToken, Token as HtmlToken,
    TokenSink, TokenSinkResult, Tokenizer,
};
use pref_eval::{
    Difference, DifferenceRow, EvaluatedPair, MetricsRow, Report, RowTable, Run, ShareRow,
    ShareTable, Token, TokenPair, TokenValues, TokenView,
};

/// Text that ends every context of a page if it is not escaped.
const ATTACK: &str = "</script></style></title></svg><img src=x onerror=alert(1)>\"'`--><!--&lt;";

/// What a parser finds in a page.
#[derive(Default)]
struct Found {
    /// The names of the elements that are open.
    open: RefCell<Vec<String>>,
    elements: RefCell<Vec<String>>,
    attributes: RefCell<Vec<(String, String)>>,
    errors: RefCell<Vec<String>>,
    text: RefCell<String>,
}

/// Elements without an end tag.
const VOID: [&str; 3] = ["meta", "br", "input"];
/// Elements that begin a line of the text.
const BLOCKS: [&str; 12] = [
    "p", "h1", "h2", "h3", "h4", "tr", "figure", "section", "div", "summary", "article", "svg",
];

impl TokenSink for Found {
    type Handle = ();

    fn process_token(&self, token: HtmlToken, _: u64) -> TokenSinkResult<()> {
        match token {
            TagToken(tag) => {
                let name = tag.name.to_string();
                match tag.kind {
                    StartTag => {
                        if BLOCKS.contains(&name.as_str()) {
                            self.text.borrow_mut().push('\n');
                        }
                        if ["td", "th"].contains(&name.as_str()) {
                            self.text.borrow_mut().push_str(" | ");
                        }
                        for attribute in &tag.attrs {
                            let attribute = (
                                attribute.name.local.to_string(),
                                attribute.value.to_string(),
                            );
                            self.attributes.borrow_mut().push(attribute);
                        }
                        self.elements.borrow_mut().push(name.clone());
                        if !VOID.contains(&name.as_str()) {
                            self.open.borrow_mut().push(name);
                        }
                    }
                    EndTag => {
                        let open = self.open.borrow_mut().pop();
                        if open.as_deref() != Some(&name) {
                            let error = format!("</{name}> ends {open:?}");
                            self.errors.borrow_mut().push(error);
                        }
                    }
                }
            }
            CharacterTokens(text) if !self.open.borrow().iter().any(|name| name == "style") => {
                self.text.borrow_mut().push_str(&text);
            }
            ParseError(error) => self.errors.borrow_mut().push(error.to_string()),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn parse(html: &str) -> Found {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Found::default(), Default::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink
}

/// Checks that a page is well formed and needs no other file.
#[track_caller]
fn check(html: &str) -> Found {
    let found = parse(html);
    assert_eq!(*found.errors.borrow(), [""; 0]);
    assert_eq!(*found.open.borrow(), [""; 0]);
    for (name, value) in found.attributes.borrow().iter() {
        assert!(
            !["src", "href", "xlink:href", "srcset", "action"].contains(&name.as_str()),
            "{name}={value}"
        );
        assert!(!name.starts_with("on"), "{name}={value}");
        assert!(!value.contains("url("), "{name}={value}");
    }
    for element in found.elements.borrow().iter() {
        assert!(
            !["img", "script", "link", "iframe", "object"].contains(&element.as_str()),
            "{element}"
        );
    }
    for text in ["http://", "https://", "url(", "@import"] {
        assert!(!html.contains(text), "{text}");
    }
    found
}

fn row(step: u64, n_rows: u64, values: &[(&str, f64)]) -> MetricsRow {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    MetricsRow {
        step,
        n_rows,
        values: values.collect(),
    }
}

/// Eight pairs with margins around a mean.
fn evaluated(mean: f64) -> Vec<EvaluatedPair> {
    let pair = |i: u32| EvaluatedPair {
        loss: 0.6,
        chosen: mean + 0.1 * f64::from(i % 4),
        rejected: 0.15,
    };
    (0..8).map(pair).collect()
}

/// A run of DPO with a few lines.
fn preference_run(name: &str, rate: &str) -> Run {
    let steps = (1..=4).map(|step| {
        let part = step as f64 / 4.0;
        row(
            step,
            0,
            &[
                ("loss", 0.7 - 0.2 * part),
                ("rewards/accuracies", 0.5 + 0.25 * part),
                ("rewards/chosen", part),
                ("rewards/rejected", -part),
                ("kl/chosen", 0.5 * part),
                ("grad_norm", 2.0),
                ("learning_rate", 1e-6),
                ("epoch", part),
            ],
        )
    });
    let evaluation = |step, accuracy, margin| {
        let values = [
            ("loss", 0.6),
            ("rewards/accuracies", accuracy),
            ("rewards/margins", margin),
        ];
        row(step, 8, &values)
    };
    Run {
        name: name.to_owned(),
        method: "dpo".to_owned(),
        state: "finished after 4 steps".to_owned(),
        settings: vec![
            ("objective.beta".to_owned(), "0.1".to_owned()),
            ("train.learning-rate".to_owned(), rate.to_owned()),
        ],
        steps: steps.collect(),
        evaluations: vec![evaluation(0, 0.5, 0.0), evaluation(4, 1.0, 1.0)],
        pairs: [(0, evaluated(0.0)), (4, evaluated(1.0))].into(),
        notes: Vec::new(),
    }
}

fn token(text: &str, reward: f64, gradient: f64) -> Token {
    let before = TokenValues {
        reward: 0.0,
        weight: Some(1.0),
        gradient,
    };
    Token {
        text: text.to_owned(),
        is_critical: reward.abs() > 0.5,
        before,
        after: TokenValues { reward, ..before },
    }
}

fn whole_report() -> Report {
    Report {
        title: "Run first".to_owned(),
        runs: vec![preference_run("first", "1e-6")],
        shares: vec![ShareTable {
            title: "Problems solved".to_owned(),
            note: "They are new.".to_owned(),
            rows: vec![
                ShareRow {
                    label: "before".to_owned(),
                    n_right: 193,
                    n: 500,
                },
                ShareRow {
                    label: "after".to_owned(),
                    n_right: 335,
                    n: 500,
                },
            ],
            differences: vec![DifferenceRow {
                label: "greedy".to_owned(),
                difference: Difference {
                    difference: 0.284,
                    low: 0.232,
                    high: 0.336,
                },
                gained: 177,
                lost: 35,
                p: 4.9e-24,
            }],
        }],
        tokens: vec![TokenView {
            run: 0,
            reward: "0.1 · log(π/π_ref)".to_owned(),
            pairs: vec![TokenPair {
                prompt: "What is 1 + 1?".to_owned(),
                chosen: vec![token("It is", 0.1, 0.25), token(" 2", 0.9, 0.25)],
                rejected: vec![token("It is", 0.0, -0.25), token(" 3", -1.2, -0.25)],
            }],
        }],
        tables: vec![RowTable {
            title: "Samples".to_owned(),
            note: "All rows of samples.jsonl.".to_owned(),
            columns: vec!["prompt".to_owned(), "response".to_owned()],
            rows: vec![vec!["What is 1 + 1?".to_owned(), "2".to_owned()]],
        }],
    }
}

#[test]
fn a_page_reads_like_this() {
    let found = check(&whole_report().to_html());
    let text = found.text.borrow();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(whole_report().to_html(), whole_report().to_html());
}

#[test]
fn no_text_becomes_markup() {
    let attack = || ATTACK.to_owned();
    let tokens = |sign: f64| vec![token(ATTACK, sign, sign / 2.0)];
    let run = Run {
        name: attack(),
        method: attack(),
        state: attack(),
        settings: vec![(attack(), attack())],
        steps: vec![row(1, 0, &[(ATTACK, 1.0), ("loss", 1.0)])],
        evaluations: vec![row(1, 1, &[(ATTACK, 1.0)])],
        pairs: Default::default(),
        notes: vec![attack()],
    };
    let report = Report {
        title: attack(),
        runs: vec![run.clone(), run],
        shares: vec![ShareTable {
            title: attack(),
            note: attack(),
            rows: vec![ShareRow {
                label: attack(),
                n_right: 1,
                n: 2,
            }],
            differences: Vec::new(),
        }],
        tokens: vec![TokenView {
            run: 1,
            reward: attack(),
            pairs: vec![TokenPair {
                prompt: attack(),
                chosen: tokens(1.0),
                rejected: tokens(-1.0),
            }],
        }],
        tables: vec![RowTable {
            title: attack(),
            note: attack(),
            columns: vec![attack()],
            rows: vec![vec![attack()]],
        }],
    };
    let found = check(&report.to_html());
    assert!(found.text.borrow().contains(ATTACK));
}

#[test]
fn runs_side_by_side_share_their_charts() {
    let report = Report {
        title: "Runs first and second".to_owned(),
        runs: vec![
            preference_run("first", "1e-6"),
            preference_run("second", "2e-6"),
        ],
        ..Report::default()
    };
    let html = report.to_html();
    let found = check(&html);
    let text = found.text.borrow();
    // The settings that differ, and no others, are outside of the list of all.
    let differing = text.split("These settings differ.").nth(1).unwrap();
    let differing = differing.split("All 2 settings").next().unwrap();
    assert!(
        differing.contains("train.learning-rate | 1e-6 | 2e-6"),
        "{differing}"
    );
    assert!(!differing.contains("objective.beta"));
    assert!(text.contains("Rewards: chosen"));
    // Both runs have a line in each chart, and a label that needs no colour.
    let n = |pattern: &str| html.matches(pattern).count();
    assert_eq!(n("<figure class=\"chart\">"), 8);
    assert_eq!(
        n("class=\"s0\"><polyline") + n("class=\"s1\"><polyline"),
        2 * 7 + 2
    );
}

#[test]
fn empty_and_odd_runs_have_a_page() {
    let empty = Report {
        title: "Run new".to_owned(),
        runs: vec![Run::default()],
        ..Report::default()
    };
    check(&empty.to_html());
    check(&Report::default().to_html());
    // One step, values that are the same, very large or not finite.
    let values = [("loss", f64::NAN), ("a", 1e300), ("b", -1e-300), ("c", 0.0)];
    let odd = Run {
        steps: vec![
            row(7, 0, &values),
            row(8, 0, &[("c", f64::INFINITY), ("a", -1e300)]),
        ],
        evaluations: vec![row(u64::MAX, 0, &[("rewards/accuracies", 0.3)])],
        ..Run::default()
    };
    let odd = Report {
        runs: vec![odd.clone(), odd],
        ..Report::default()
    };
    let html = odd.to_html();
    check(&html);
    for text in ["NaN", "inf"] {
        assert!(!html.contains(text), "{text}");
    }
}
