//! Objectives in training: the fields that each objective needs, and the metrics that it logs.

use super::*;

/// A row with everything that an objective can need. `tokens` counts the tokens of an answer.
fn annotated(tokens: impl Fn(&str) -> usize) -> String {
    let text = ["2 + 2 = 4\n", "#### 4"];
    let wrong = ["2 + 2 is 5\n", "so it is\n", "#### 5"];
    let n = tokens(&text.concat());
    let m = tokens(&wrong.concat());
    serde_json::json!({
        "prompt": "What is 2 + 2?\n", "chosen": text.concat(), "rejected": wrong.concat(),
        "chosen_segments": text, "chosen_scores": [[4, 4, 4, 2, 3], [3, 4, 4, 4, 4]],
        "rejected_segments": wrong,
        "rejected_scores": [[0, 0, 4, 1, 3], [1, 2, 4, 1, 1], [0, 0, 4, 2, 2]],
        "chosen_weights": vec![1.5; n], "rejected_weights": vec![0.5; m],
        "rejected_importance": vec![0.25; m],
    })
    .to_string()
}

#[test]
fn every_pairwise_objective_trains_on_annotated_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("annotated.jsonl");
    let tokenizer = pref_data::Tokenizer::from_folder(Path::new(&common::model("llama"))).unwrap();
    let prompt = tokenizer.encode("What is 2 + 2?\n").unwrap().len();
    let row = annotated(|text| {
        let ids = tokenizer
            .encode(&format!("What is 2 + 2?\n{text}<|im_end|>"))
            .unwrap();
        ids.len() - prompt
    });
    std::fs::write(&data, format!("{row}\n{row}\n{row}\n")).unwrap();
    for (objective, first) in [
        (vec!["objective.method=dpo-bmc"], Some(LN_2)),
        (vec!["objective.method=orpo-bmc"], None),
        (vec!["objective.method=figa"], None),
        (
            vec!["objective.method=dpo-bmc", "data.diff=difflib"],
            Some(LN_2),
        ),
        (vec!["objective.method=cdpo"], Some(LN_2)),
        (vec!["objective.method=2d-dpo"], Some(2.0 * LN_2)),
        (
            vec![
                "objective.method=dpo",
                "objective.token_weights={kind = \"given\"}",
            ],
            Some(LN_2),
        ),
        (
            vec![
                "objective.method=hipo",
                "objective.part_weights={reasoning = 0.3, answer = 0.7}",
                "objective.response_weight=1.0",
            ],
            Some(2.0 * LN_2),
        ),
    ] {
        let run = folder
            .path()
            .join(objective.join("-").replace(['/', '"', ' '], "_"));
        let mut settings = objective.clone();
        settings.extend(["train.steps=3", "data.eval-fraction=0"]);
        let (_, memory) = common::run::<Cpu>(&plan(&data, &run, &settings), false).unwrap();
        let losses: Vec<f64> = memory.steps.iter().map(|s| s.means.loss()).collect();
        if let Some(first) = first {
            assert!((losses[0] - first).abs() < 1e-4, "{objective:?} {losses:?}");
        }
        assert!(losses[2] < losses[0] - 1e-3, "{objective:?} {losses:?}");
    }
}

#[test]
fn what_a_row_lacks_is_said_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let error = |objective: &str| {
        let run = folder.path().join("run");
        let error = common::run::<Cpu>(&plan(&data, &run, &[objective]), false).unwrap_err();
        error
            .to_string()
            .replace(&folder.path().display().to_string(), "[folder]")
    };
    insta::assert_snapshot!(
        [
            error("objective.method=2d-dpo"),
            error("objective.method=cadpo"),
            error("objective.token_weights={kind = \"given\"}"),
        ]
        .join("\n")
    );
}

#[test]
fn a_sum_trains_and_logs_its_first_term() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let terms =
        r#"objective.terms=[{method = "dpo", weight = 0.5}, {method = "sft", weight = 0.1}]"#;
    let sum = plan(
        &data,
        &folder.path().join("sum"),
        &["objective.method=sum", terms],
    );
    let (_, memory) = common::run::<Cpu>(&sum, false).unwrap();
    let first = memory.steps[0].means.pairs().unwrap();
    // Half of ln 2, and a tenth of about ln 512 per token.
    assert!(first.loss > 0.7 && first.loss < 1.3, "{}", first.loss);
    // The policy still equals the reference, which was scored in other batches, so rounding differs.
    assert!(first.chosen_kl.unwrap().abs() < 1e-4);
    let last = memory.steps[5].means.pairs().unwrap();
    assert!(last.chosen_kl.unwrap().abs() > 1e-2);
    assert!(
        (last.margins - 0.1 * (last.chosen_kl.unwrap() - last.rejected_kl.unwrap())).abs() < 1e-5
    );
    assert_eq!(last.granule_accuracies, last.accuracies);
}

#[test]
fn every_method_that_needs_nothing_but_pairs_trains() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    for method in pref_core::Method::ALL {
        let Ok(config) = pref_core::ObjectiveConfig::preset(method.name()) else {
            continue;
        };
        let mut needs = config.needs();
        needs.reference = false;
        if !needs.names().is_empty() {
            continue;
        }
        let run = folder.path().join(method.name());
        let settings = [
            &format!("objective.method={}", method.name()),
            "train.batch-size=10",
            "train.schedule=constant",
            "train.steps=8",
            "train.save-every=0",
        ];
        let (_, memory) = common::run::<Cpu>(&plan(&data, &run, &settings), false).unwrap();
        let loss = |i: usize| memory.steps[i].means.loss();
        assert!(
            loss(7) < loss(0),
            "{}: {} to {}",
            method.name(),
            loss(0),
            loss(7)
        );
    }
}
