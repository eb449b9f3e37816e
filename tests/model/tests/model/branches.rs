//! Rows that hold two answers to one prompt give each answer the log-probs that it has in a row of its own, in
//! every family, with windows, and with the same gradients.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use burn::backend::{Autodiff, Flex, NdArray};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use pref_model::{Decoder, Kernels, Response, ResponseTokens};
use proptest::prelude::*;

use crate::common::{FAMILIES, fixture};

fn decoder<B: Backend>(name: &str) -> Decoder<B> {
    Decoder::load(&fixture(name), &B::Device::default()).unwrap()
}

/// Rows of ids, padded on the right.
fn padded<B: Backend>(rows: &[Vec<i32>]) -> Tensor<B, 2, Int> {
    let width = rows.iter().map(Vec::len).max().unwrap();
    let mut all = Vec::new();
    for row in rows {
        all.extend(row);
        all.extend(std::iter::repeat_n(7, width - row.len()));
    }
    Tensor::from_data(
        TensorData::new(all, [rows.len(), width]),
        &B::Device::default(),
    )
}

/// Prompt, first answer, second answer.
type Row = [Vec<i32>; 3];

fn apart<B: Backend>(rows: &[Row]) -> ResponseTokens<B> {
    let with = |k: usize| rows.iter().map(move |row| [&row[0][..], &row[k]].concat());
    let texts: Vec<Vec<i32>> = with(1).chain(with(2)).collect();
    let starts = rows.iter().chain(rows).map(|row| row[0].len());
    let spans: Vec<_> = starts
        .zip(&texts)
        .map(|(start, text)| start..text.len())
        .collect();
    ResponseTokens::new(padded(&texts), &spans)
}

fn together<B: Backend>(rows: &[Row]) -> ResponseTokens<B> {
    let texts: Vec<Vec<i32>> = rows.iter().map(|row| row.concat()).collect();
    let place = |row: usize, start: usize, n: usize| Response {
        row,
        tokens: start..start + n,
        predictor: rows[row][0].len() - 1,
    };
    let mut responses = Vec::new();
    for (i, [prompt, answer, _]) in rows.iter().enumerate() {
        responses.push(place(i, prompt.len(), answer.len()));
    }
    for (i, [prompt, answer, other]) in rows.iter().enumerate() {
        responses.push(place(i, prompt.len() + answer.len(), other.len()));
    }
    let branches = rows
        .iter()
        .map(|[p, a, _]| p.len()..p.len() + a.len())
        .collect();
    ResponseTokens::branched(padded(&texts), &responses, branches)
}

fn largest_difference<B: Backend, const D: usize>(a: Tensor<B, D>, b: Tensor<B, D>) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b)
        .abs()
        .max()
        .into_data()
        .iter::<f32>()
        .next()
        .unwrap()
}

fn check<B: Kernels>(name: &str, rows: &[Row]) -> f32 {
    let model = decoder::<B>(name);
    largest_difference(
        apart::<B>(rows).log_probs(&model),
        together::<B>(rows).log_probs(&model),
    )
}

fn answer() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(3i32..500, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_shared_prompt_changes_no_log_prob(
        rows in prop::collection::vec((answer(), answer(), answer()), 1..4),
    ) {
        let rows: Vec<Row> = rows.into_iter().map(|(p, a, b)| [p, a, b]).collect();
        for name in FAMILIES {
            let off = check::<Flex>(name, &rows);
            prop_assert!(off < 2e-4, "{} {}", name, off);
        }
        let off = check::<NdArray>("gemma3", &rows);
        prop_assert!(off < 2e-4, "ndarray {}", off);
    }
}

/// The gradient of every parameter.
struct Collect<'a> {
    gradients: &'a <Autodiff<Flex> as AutodiffBackend>::Gradients,
    found: Vec<Tensor<Flex, 1>>,
}

impl ModuleVisitor<Autodiff<Flex>> for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Autodiff<Flex>, D>>) {
        let gradient = param.val().grad(self.gradients).unwrap();
        let n = gradient.shape().num_elements();
        self.found.push(gradient.reshape([n]));
    }
}

#[test]
fn a_shared_prompt_changes_no_gradient() {
    type B = Autodiff<Flex>;
    let ids = |from: i32, n: i32| (from..from + n).collect::<Vec<i32>>();
    let rows: Vec<Row> = vec![
        [ids(10, 9), ids(40, 14), ids(90, 5)],
        [ids(200, 3), ids(60, 2), ids(30, 21)],
    ];
    for name in ["mistral", "gemma3"] {
        let model = decoder::<B>(name);
        let gradient = |tokens: ResponseTokens<B>| {
            let hidden = tokens.hidden(&model);
            // A different factor for each token, so that no differences cancel.
            let n = tokens.len();
            let shares: Vec<f32> = (0..n).map(|i| (i % 5) as f32 - 1.5).collect();
            let shares = Tensor::<B, 1>::from_data(shares.as_slice(), &Default::default());
            let log_probs = pref_model::token_log_probs(model.logits(hidden), tokens.targets());
            let gradients = (log_probs * shares).sum().backward();
            let mut collect = Collect {
                gradients: &gradients,
                found: Vec::new(),
            };
            model.visit(&mut collect);
            Tensor::<Flex, 1>::cat(collect.found, 0)
        };
        let off = largest_difference(gradient(apart(&rows)), gradient(together(&rows)));
        assert!(off < 2e-3, "{name} {off}");
    }
}
