//! The judges that are programs. In: worked solutions. Out: scores, parts, ranks.

use pref_annotate::{
    Compare, Judge, Orders, Parts, Rank, RankBy, Rules, Scores, TemplateKind, Work,
};
use pref_data::{Pair, Record, Text};
use serde_json::json;

use crate::set_up::{Bench, assert_complete, block_on};

const RIGHT: &str = "Ann has 3 + 4 = <<3+4=7>>7 pens. She buys 7 * 2 = 14 more.\nA: 14";
const WRONG: &str = "Ann has 3 + 4 = <<3+4=8>>8 pens. She buys 8 * 2 = 16 more.\nA: 16";

fn pair() -> Record {
    let [prompt, chosen, rejected] = ["How many?", RIGHT, WRONG].map(|t| Text::Plain(t.to_owned()));
    Record::Pair(Pair::new(prompt, chosen, rejected, 1))
}

fn scored(bench: &Bench, rules: Rules) -> serde_json::Value {
    block_on(async {
        let job = bench.put(&rules, vec![pair()]);
        assert_complete(&bench.run(&rules, job).await);
    });
    let (rows, report) = bench.rows();
    assert_eq!(report.n_rows, 1, "{report:?}");
    rows.into_iter().next().expect("a row")
}

#[test]
fn gsm8k_finds_the_wrong_equation_and_the_wrong_answer() {
    let mut bench = Bench::new();
    bench.work = Work::Scores(Scores::new(&bench.template, Orders::Both, 1).expect("aspects"));
    let row = scored(&bench, Rules::Gsm8k);
    // helpfulness, correctness, safety, completeness, clarity
    let right = json!([
        [4.0, 4.0, 4.0, 1.0, 4.0],
        [4.0, 4.0, 4.0, 2.0, 4.0],
        [4.0, 4.0, 4.0, 4.0, 4.0]
    ]);
    let wrong = json!([
        [0.0, 0.0, 4.0, 0.0, 4.0],
        [1.0, 4.0, 4.0, 1.0, 4.0],
        [0.0, 0.0, 4.0, 2.0, 4.0]
    ]);
    assert_eq!(row["chosen_scores"], right);
    assert_eq!(row["rejected_scores"], wrong);
    let segments = row["chosen_segments"].as_array().expect("segments");
    let joined: String = segments.iter().filter_map(|s| s.as_str()).collect();
    assert_eq!(joined, RIGHT);
    let (_, report) = bench.rows();
    assert_eq!(report.flips.len(), 5);
    assert!(
        report.flips.iter().all(|flip| flip.flips.k == 0),
        "{report:?}"
    );
}

#[test]
fn arithmetic_needs_no_right_answer() {
    let row = scored(&Bench::new(), Rules::Arithmetic);
    assert_eq!(row["chosen_scores"][2][1], 4.0);
    assert_eq!(row["rejected_scores"][0][1], 0.0);
}

#[test]
fn parts_tile_the_text() {
    let mut bench = Bench::new();
    bench.work = Work::Parts(Parts::default());
    bench.template = TemplateKind::Parts.template().expect("a template");
    let row = scored(&bench, Rules::Gsm8k);
    let parts = row["chosen_parts"].as_array().expect("parts");
    let joined: String = parts
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect();
    assert_eq!(joined, RIGHT);
    assert_eq!(parts.last().expect("a part")["label"], "answer");
}

#[test]
fn the_best_and_the_worst_answer_become_a_pair() {
    for by in [RankBy::Scores, RankBy::Rating, RankBy::Compare] {
        let mut bench = Bench::new();
        bench.work = Work::Rank(Rank::new(by));
        bench.template = bench
            .work
            .template()
            .expect("a kind")
            .template()
            .expect("a template");
        let row = scored(&bench, Rules::Gsm8k);
        assert_eq!(row["chosen"], RIGHT, "{by:?}");
        assert_eq!(row["rejected"], WRONG, "{by:?}");
        assert_eq!(row["chosen_scores"].is_array(), by == RankBy::Scores);
    }
}

#[test]
fn the_better_answer_of_a_pair_is_preferred() {
    let mut bench = Bench::new();
    bench.work = Work::Compare(Compare {
        orders: Orders::Both,
        samples: 2,
    });
    bench.template = TemplateKind::Compare.template().expect("a template");
    assert_eq!(scored(&bench, Rules::Gsm8k)["preference"], 1.0);
}

#[test]
fn rules_have_names() {
    assert_eq!("gsm8k".parse::<Rules>(), Ok(Rules::Gsm8k));
    let error = "gsm8".parse::<Rules>().expect_err("no such rules");
    assert_eq!(
        error.to_string(),
        "there are no rules `gsm8`; did you mean `rules:gsm8k`?"
    );
    assert_eq!(Rules::Arithmetic.model(), "rules:arithmetic/1");
}
