//! Random batches, and functions that compute losses and gradients of them. In: sizes. Out:
//! batches, objectives, losses and gradients.

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};
use pref_core::{LossOutput, Method, ObjectiveConfig, PairBatch, Segments, Side};
use proptest::prelude::*;
use serde_json::json;

pub(super) type B = Autodiff<Flex>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) policy: f32,
    pub(super) reference: f32,
    pub(super) is_varied: bool,
    pub(super) importance: f32,
}

/// Tokens of the chosen and of the rejected answer.
pub(super) type Pair = (Vec<Token>, Vec<Token>);

pub(super) fn tokens(range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Token>> {
    let columns = (-6.0f32..0.0, -6.0f32..0.0, any::<bool>(), 0.0f32..1.0);
    let token = columns.prop_map(|(policy, reference, is_varied, importance)| Token {
        policy,
        reference,
        is_varied,
        importance,
    });
    prop::collection::vec(token, range)
}

pub(super) fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    prop::collection::vec((tokens(1..9), tokens(1..9)), 1..5)
}

pub(super) fn tensor(values: Vec<f32>, dims: [usize; 2]) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values, dims), &Default::default())
}

/// A side padded to `width` columns; log-probs in the padding are `filler`.
pub(super) fn side(answers: &[&Vec<Token>], width: usize, filler: f32) -> Side<B> {
    let dims = [answers.len(), width];
    let column = |of: fn(&Token) -> f32, filler: f32| {
        let rows = answers.iter().flat_map(|answer| {
            let padding = std::iter::repeat_n(filler, width - answer.len());
            answer.iter().map(of).chain(padding).collect::<Vec<f32>>()
        });
        tensor(rows.collect(), dims)
    };
    let mut side = Side::new(
        column(|t| t.policy, filler).require_grad(),
        column(|_| 1.0, 0.0),
    )
    .with_reference(column(|t| t.reference, filler));
    side.varied = Some(column(|t| f32::from(u8::from(t.is_varied)), 0.0));
    side.importance = Some(column(|t| t.importance, 0.0));
    side.given = Some(column(|t| 1.0 + t.importance, 0.0));
    side.kl = Some(column(|t| t.importance, 0.0));
    side.parts = Some(column(|t| f32::from(u8::from(t.is_varied)), 0.0).int());
    side
}

/// A batch padded by `extra` more columns than the longest answer needs.
pub(super) fn batch(pairs: &[Pair], extra: usize, filler: f32) -> PairBatch<B> {
    let width = |of: fn(&Pair) -> &Vec<Token>| pairs.iter().map(|p| of(p).len()).max().unwrap();
    let chosen: Vec<&Vec<Token>> = pairs.iter().map(|p| &p.0).collect();
    let rejected: Vec<&Vec<Token>> = pairs.iter().map(|p| &p.1).collect();
    let mut batch = PairBatch::new(
        side(&chosen, width(|p| &p.0) + extra, filler),
        side(&rejected, width(|p| &p.1) + extra, filler),
    );
    batch.part_labels = vec!["context".to_owned(), "answer".to_owned()];
    let segments = |answer: &Vec<Token>| {
        let n = answer.len();
        let middle = n.div_ceil(2);
        let mut ranges = vec![0..middle];
        let mut scores = vec![[1.0, 2.0, 4.0, 0.0, 3.0]];
        if middle < n {
            ranges.push(middle..n);
            scores.push([3.0, 1.0, 0.0, 2.0, 2.0]);
        }
        Segments::new(n, ranges, scores).unwrap()
    };
    batch.segments = pairs
        .iter()
        .map(|p| (segments(&p.0), segments(&p.1)))
        .collect();
    batch
}

/// Every method over pairs, and dpo with other divergences. Methods that have required settings get
/// some.
pub(super) fn methods() -> Vec<ObjectiveConfig> {
    let without_defaults = [
        json!({"method": "hipo", "part_weights": {"context": 0.4, "answer": 0.6}, "response_weight": 0.2}),
        json!({"method": "sum", "terms": [{"method": "dpo", "weight": 0.8}, {"method": "simpo"}]}),
    ]
    .map(config);
    let divergences = ["forward_kl", "js_divergence", "alpha_divergence"]
        .map(|divergence| config(json!({"method": "dpo", "f_divergence_type": divergence})));
    let presets = Method::ALL.map(|method| ObjectiveConfig::preset(method.name()).ok());
    let with_defaults = presets.into_iter().flatten();
    let all: Vec<_> = with_defaults
        .chain(without_defaults)
        .chain(divergences)
        .filter(|config| config.over_pairs::<B>().is_some())
        .collect();
    // all but kto, bvpo, sft, bradley-terry and segments
    assert_eq!(all.len(), Method::ALL.len() - 5 + 3);
    all
}

pub(super) fn config(value: serde_json::Value) -> ObjectiveConfig {
    ObjectiveConfig::from_value(&value).unwrap()
}

pub(super) fn loss(config: &ObjectiveConfig, batch: &PairBatch<B>) -> LossOutput<B> {
    config.over_pairs().unwrap().loss(batch).unwrap()
}

pub(super) fn values(tensor: Tensor<B, 1>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// The losses of the pairs, then the gradients of the chosen answers' log-probs, one list per pair
/// without padding, then the same for the rejected answers.
pub(super) fn losses_and_gradients(
    config: &ObjectiveConfig,
    batch: &PairBatch<B>,
    pairs: &[Pair],
) -> Vec<Vec<f32>> {
    let output = loss(config, batch);
    let gradients = output.loss.backward();
    let mut found = vec![values(output.per_pair)];
    for (side, of) in [
        (&batch.chosen, (|p: &Pair| p.0.len()) as fn(&Pair) -> usize),
        (&batch.rejected, |p: &Pair| p.1.len()),
    ] {
        let [_, width] = side.policy.dims();
        let gradient: Vec<f32> = match side.policy.grad(&gradients) {
            Some(gradient) => gradient.into_data().iter().collect(),
            None => vec![0.0; pairs.len() * width],
        };
        assert_eq!(gradient.len(), pairs.len() * width);
        for (row, pair) in gradient.chunks(width).zip(pairs) {
            found.push(row[..of(pair)].to_vec());
        }
    }
    found
}

#[track_caller]
pub(super) fn assert_near(name: &str, a: &[Vec<f32>], b: &[Vec<f32>]) {
    let lengths = |lists: &[Vec<f32>]| lists.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(a), lengths(b), "{name}");
    assert!(
        a.iter().all(|list| !list.is_empty()),
        "{name}: an empty list"
    );
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        let allowed = 1e-5 + 1e-4 * a.abs().max(b.abs());
        assert!((a - b).abs() <= allowed, "{name}: {a} {b}");
    }
}
