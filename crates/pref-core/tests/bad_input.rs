//! Mistakes in the configuration, the data and the segments of an objective, and their error
//! messages.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use burn::backend::Flex;
use burn::tensor::Tensor;
use pref_core::{
    BatchError, GradientMoments, Kto, ObjectiveConfig, ObjectiveConfigError, ObjectiveKind,
    PairBatch, Segments, Side, UnpairedBatch,
};

type B = Flex;

#[test]
fn configurations_that_describe_no_objective() {
    let messages: Vec<String> = [
        r#"{"method": "#,
        r#"["dpo"]"#,
        r#"{"beta": 0.1}"#,
        r#"{"method": "dppo"}"#,
        r#"{"method": "dpo", "betta": 0.1}"#,
        r#"{"method": "dpo", "gamma": 0.1}"#,
        r#"{"method": "dpo", "beta": 0}"#,
        r#"{"method": "dpo", "beta": -1}"#,
        r#"{"method": "dpo", "beta": "0.1"}"#,
        r#"{"method": "dpo", "label_smoothing": 0.5}"#,
        r#"{"method": "dpo", "label-smoothing": 0.1, "label_smoothing": 0.2}"#,
        r#"{"method": "ipo", "length_average": 1}"#,
        r#"{"method": "simpo", "gamma": 1.0, "gamma_beta_ratio": 0.5}"#,
        r#"{"method": "discopop", "tau": 2}"#,
        r#"{"method": "exo", "label_smoothing": 0}"#,
        r#"{"method": "adpo", "granularity": {"adaptive": 0}}"#,
        r#"{"method": "adpo", "granularity": {"adaptiv": 4}}"#,
        r#"{"method": "adpo", "granularity": {"adaptive": 4, "static": 2}}"#,
        r#"{"method": "dpo", "token_weights": {"kind": "confidense"}}"#,
        r#"{"method": "dpo", "token_weights": {"kind": "confidence", "dleta": 2}}"#,
        r#"{"method": "dpo", "token_weights": {"kind": "temporal_decay", "gamma": 1.5}}"#,
        r#"{"method": "hipo"}"#,
        r#"{"method": "hipo", "part_weights": {"answer": -1}}"#,
        r#"{"method": "hipo", "part_weights": {"answer": 1}, "granularity": {"static": 2}}"#,
        r#"{"method": "2d-dpo", "aspect_weights": [1, 0, 0]}"#,
        r#"{"method": "2d-dpo", "aspect_weights": [0.5, 0.5, 0.5, 0, 0]}"#,
        r#"{"method": "bvpo"}"#,
        r#"{"method": "bvpo", "alpha": 1.5, "inner": {"method": "dpo"}}"#,
        r#"{"method": "bvpo", "inner": {"method": "kto"}}"#,
        r#"{"method": "bvpo", "alpha": "best", "inner": {"method": "dpo"}}"#,
        r#"{"method": "bvpo", "inner": {"method": "sum", "terms": [{"method": "dpo"}]}}"#,
        r#"{"method": "sum"}"#,
        r#"{"method": "sum", "terms": []}"#,
        r#"{"method": "sum", "terms": [{"method": "dpo", "weight": -1}]}"#,
        r#"{"method": "sum", "terms": [{"method": "dpo", "weigth": 1}]}"#,
        r#"{"method": "sum", "terms": ["dpo"]}"#,
        r#"{"method": "sum", "terms": [{"method": "kto"}]}"#,
        r#"{"method": "dpo", "f_divergence_type": "forward"}"#,
        r#"{"method": "dpo", "f_alpha_divergence_coef": 0.5}"#,
        r#"{"method": "dpo", "f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": "a"}"#,
        r#"{"method": "simpo", "f_divergence_type": "forward_kl"}"#,
        r#"{"method": "nca", "f_divergence_type": "forward_kl"}"#,
        r#"{"method": "ipo", "tau": 0.1, "beta": 0.1}"#,
        r#"{"method": "dpo", "token_weights": {"delta": 2}}"#,
        r#"{"method": "dpo", "token_weights": {"kind": "confidence", "reference": "none"}}"#,
        r#"{"method": "orpo", "granularity": {"static": 4}}"#,
        r#"{"method": "simpo", "granularity": {"static": 4}}"#,
        r#"{"method": "simpo", "granularity": {"parts": {"weights": {"answer": 1}}}}"#,
        r#"{"method": "orpo-bmc", "granularity": {"parts": {"weights": {"answer": 1}}}}"#,
        r#"{"method": "simpo", "token_weights": {"kind": "varied"}}"#,
        r#"{"method": "orpo", "token_weights": {"kind": "shared_length", "alpha": 0}, "granularity": {"adaptive": 4}}"#,
        r#"{"method": "sum", "terms": [{"method": "simpo", "granularity": {"static": 4}}]}"#,
        r#"{"method": "sft", "token_weights": {"kind": "given"}}"#,
    ]
    .iter()
    .map(|text| text.parse::<ObjectiveConfig>().unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

/// Reference-free objectives can be combined with granules if every granule has a token on both
/// sides, or if the loss is linear in the sums, to which an empty granule adds nothing.
#[test]
fn reference_free_objectives_with_granules_that_have_a_meaning() {
    for text in [
        r#"{"method": "simpo", "granularity": {"adaptive": 4}}"#,
        r#"{"method": "orpo", "granularity": {"ranked": {}}}"#,
        r#"{"method": "orpo", "token_weights": {"kind": "shared_length", "alpha": 0}}"#,
        r#"{"method": "simpo", "token_weights": {"kind": "shared_length", "alpha": 0.1}, "granularity": {"adaptive": 4}}"#,
        r#"{"method": "figa", "granularity": {"static": 4}}"#,
        r#"{"method": "ipo", "length_average": true, "granularity": {"static": 4}}"#,
    ] {
        let config: Result<ObjectiveConfig, _> = text.parse();
        assert!(config.is_ok(), "{text}: {config:?}");
    }
}

#[test]
fn beta_is_another_name_of_tau() {
    let preset = |text: &str| text.parse::<ObjectiveConfig>().unwrap();
    let tau = preset(r#"{"method": "ipo", "tau": 0.3}"#);
    assert_eq!(tau.to_value()["tau"], 0.3);
    assert_eq!(preset(r#"{"method": "ipo", "beta": 0.3}"#), tau);
}

#[test]
fn segments_that_describe_no_answer() {
    let row = [1.0; 5];
    let error = |ranges: Vec<std::ops::Range<usize>>, scores: Vec<[f64; 5]>| {
        Segments::new(6, ranges, scores).unwrap_err().to_string()
    };
    #[expect(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    let messages = [
        error(vec![], vec![]),
        error(vec![0..3, 3..6], vec![row]),
        error(vec![0..3, 3..3], vec![row, row]),
        error(vec![4..2], vec![row]),
        error(vec![0..3, 2..6], vec![row, row]),
        error(vec![0..7], vec![row]),
        error(vec![0..6], vec![[1.0, 5.0, 0.0, 0.0, 0.0]]),
        error(vec![0..6], vec![[1.0, f64::NAN, 0.0, 0.0, 0.0]]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

fn tensor(rows: [[f32; 2]; 2]) -> Tensor<B, 2> {
    Tensor::from_data(rows, &Default::default())
}

fn side() -> Side<B> {
    Side::new(tensor([[-1.0; 2]; 2]), tensor([[1.0, 1.0], [1.0, 0.0]]))
}

#[test]
fn batches_that_lack_what_a_method_needs() {
    let batch = PairBatch::new(side(), side());
    let scored = || side().with_reference(tensor([[-1.0; 2]; 2]));
    let unlabelled = PairBatch::new(scored(), scored());
    let lacking = |config: &str, batch: &PairBatch<B>| {
        let config: ObjectiveConfig = config.parse().unwrap();
        let objective = config.pairwise().unwrap().build::<B>();
        objective.loss(batch).unwrap_err().to_string()
    };
    let mut labelled = unlabelled.clone();
    labelled.chosen.parts = Some(tensor([[0.0; 2]; 2]).int());
    labelled.rejected.parts = labelled.chosen.parts.clone();
    labelled.part_labels = vec!["reasons".to_owned()];
    let hipo = r#"{"method": "hipo", "part_weights": {"answer": 0.5, "reasoning": 0.5}}"#;
    let messages = [
        lacking(r#"{"method": "dpo"}"#, &batch),
        lacking(r#"{"method": "figa"}"#, &batch),
        lacking(r#"{"method": "simpo-bmc"}"#, &batch),
        lacking(
            r#"{"method": "simpo", "token_weights": {"kind": "importance"}}"#,
            &batch,
        ),
        lacking(
            r#"{"method": "simpo", "token_weights": {"kind": "given"}}"#,
            &batch,
        ),
        lacking(
            r#"{"method": "simpo", "granularity": {"ranked": {}}}"#,
            &batch,
        ),
        lacking(hipo, &unlabelled),
        lacking(hipo, &labelled),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn an_optimal_alpha_needs_moments() {
    let config: ObjectiveConfig =
        r#"{"method": "bvpo", "alpha": "optimal", "inner": {"method": "simpo"}}"#
            .parse()
            .unwrap();
    let ObjectiveKind::Bvpo(bvpo) = config.kind() else {
        panic!("the method is bvpo")
    };
    assert_eq!(
        bvpo.build::<B>().unwrap_err(),
        ObjectiveConfigError::NoGradientMoments
    );
    let moments = GradientMoments::new(&[0.0], &[1.0], 1.0, 1.0, 0.0);
    let objective = bvpo.with_moments(&moments).build::<B>().unwrap();
    assert_eq!(objective.alpha, moments.optimal_alpha());
    let batch = PairBatch::new(side(), side());
    assert!(objective.loss(&batch, &batch).is_ok());
}

#[test]
fn an_answer_without_a_token_is_found() {
    let mut batch = PairBatch::new(side(), side());
    assert_eq!(batch.check(), Ok(()));
    batch.rejected.mask = tensor([[1.0, 0.0], [0.0, 0.0]]);
    let error = batch.check().unwrap_err();
    assert!(matches!(
        error,
        BatchError::EmptyAnswer {
            pair: 1,
            side: "rejected"
        }
    ));
}

fn kto(answers: Side<B>, labels: &[f32], mismatched: Side<B>) -> BatchError {
    let kto = Kto {
        beta: 0.1,
        desirable_weight: 1.0,
        undesirable_weight: 1.0,
    };
    let batch = UnpairedBatch {
        answers,
        desirable: Tensor::from_data(labels, &Default::default()),
        mismatched,
    };
    kto.loss(&batch).unwrap_err()
}

#[test]
fn kto_refuses_a_batch_of_one() {
    let one = |value: f32| Tensor::<B, 2>::from_data([[value, value]], &Default::default());
    let side = || Side::new(one(-1.0), one(1.0)).with_reference(one(-1.0));
    assert_eq!(kto(side(), &[1.0], side()), BatchError::NoMismatch { n: 1 });
}

#[test]
fn kto_names_the_answers_without_a_reference() {
    let scored = || side().with_reference(tensor([[-1.0; 2]; 2]));
    let messages = [
        kto(scored(), &[1.0, 0.0], side()).to_string(),
        kto(side(), &[1.0, 0.0], scored()).to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
#[should_panic(expected = "chosen and rejected must hold the same number of pairs")]
fn sides_of_different_sizes_are_a_panic() {
    let one = |value: f32| Tensor::<B, 2>::from_data([[value, value]], &Default::default());
    PairBatch::new(side(), Side::new(one(-1.0), one(1.0)));
}

#[test]
#[should_panic(expected = "chosen reference must have the policy's shape [pairs, tokens]")]
fn a_column_of_another_shape_is_a_panic() {
    let one = Tensor::<B, 2>::from_data([[-1.0, -1.0]], &Default::default());
    PairBatch::new(side().with_reference(one), side());
}

#[test]
#[should_panic(expected = "lengths [3, 1] do not fit 2 columns")]
fn a_length_beyond_the_columns_is_a_panic() {
    Side::from_lengths(tensor([[-1.0; 2]; 2]), &[3, 1]);
}
