//! Made-up data for the benchmarks. In: shapes. Out: data of these shapes, with the same numbers on
//! every run and machine.

pub mod machine;
pub mod programs;
pub mod text;

use burn::tensor::{Int, Tensor, TensorData, backend::AutodiffBackend};
use pref_core::{
    Method, N_ASPECTS, ObjectiveConfig, ObjectiveKind, PairBatch, Segments, Side, UnpairedBatch,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// Number of scored segments of each answer.
const SEGMENTS: usize = 40;

/// Everything that any objective needs, as tensors.
#[derive(Debug)]
pub struct Inputs<B: AutodiffBackend> {
    pairs: PairBatch<B>,
    unpaired: UnpairedBatch<B>,
}

impl<B: AutodiffBackend> Inputs<B> {
    /// A batch of `pairs` pairs, padded to `tokens` columns. Answers have between `tokens / 2` and
    /// `tokens` tokens, so that there is padding as in real batches. Log-probs under policy and
    /// reference are between −4 and 0 nats.
    pub fn new(pairs: usize, tokens: usize, device: &B::Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (chosen, chosen_segments) = side::<B>(&mut rng, pairs, tokens, device);
        let (rejected, rejected_segments) = side::<B>(&mut rng, pairs, tokens, device);
        let labels: Vec<f32> = (0..pairs).map(|i| (i % 2) as f32).collect();
        let unpaired = UnpairedBatch {
            answers: chosen.clone(),
            desirable: Tensor::from_data(labels.as_slice(), device),
            mismatched: rejected.clone(),
        };
        let mut pairs = PairBatch::new(chosen, rejected);
        pairs.part_labels = ["context", "reasoning", "answer"].map(str::to_owned).into();
        pairs.segments = chosen_segments.into_iter().zip(rejected_segments).collect();
        Self { pairs, unpaired }
    }

    /// The gradients of the objective's loss.
    ///
    /// # Panics
    /// If the objective is bvpo with an optimal α, which needs moments.
    pub fn gradients(&self, config: &ObjectiveConfig) -> B::Gradients {
        const COMPLETE: &str = "the inputs hold what every objective needs";
        let loss = match config.kind() {
            ObjectiveKind::Kto(kto) => kto.loss(&self.unpaired).expect(COMPLETE).loss,
            ObjectiveKind::Bvpo(bvpo) => {
                let objective = bvpo.build::<B>().expect("α is a number");
                let output = objective.loss(&self.pairs, &self.pairs);
                output.expect(COMPLETE).loss
            }
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => {
                let objective = config
                    .over_pairs::<B>()
                    .expect("the objective is over pairs");
                objective.loss(&self.pairs).expect(COMPLETE).loss
            }
            ObjectiveKind::Sft(sft) => sft.loss(&self.pairs.chosen).loss,
            ObjectiveKind::BradleyTerry(_) | ObjectiveKind::Segments(_) => {
                unreachable!("these objectives take scores, and `objectives` leaves them out")
            }
        };
        loss.backward()
    }
}

/// Every method on log-probs with its defaults, and adpo with two other granularities, by name.
#[expect(
    clippy::missing_panics_doc,
    reason = "it never panics, as the message says"
)]
pub fn objectives() -> Vec<(String, ObjectiveConfig)> {
    // the settings without a default
    let required = [
        (
            Method::Sum,
            json!({"terms": [{"method": "dpo"}, {"method": "sft"}]}),
        ),
        (
            Method::Hipo,
            json!({"response_weight": 0.2,
            "part_weights": {"context": 0.2, "reasoning": 0.5, "answer": 0.3}}),
        ),
        (Method::Bvpo, json!({"inner": {"method": "dpo"}})),
    ];
    let methods = Method::ALL.into_iter().map(|method| {
        let settings = required.iter().find(|(of, _)| *of == method);
        let mut config = settings.map_or(json!({}), |(_, settings)| settings.clone());
        config["method"] = json!(method.name());
        (method.name().to_owned(), config)
    });
    let granularities = [
        ("adpo, static 8", json!({"static": 8})),
        ("adpo, static 1", json!({"static": 1})),
    ]
    .map(|(name, granularity)| {
        let config = json!({"method": "adpo", "granularity": granularity});
        (name.to_owned(), config)
    });
    let read = |(name, config)| {
        let config = ObjectiveConfig::from_value(&config).expect("the settings are valid");
        (name, config)
    };
    let takes_log_probs = |(_, config): &(String, ObjectiveConfig)| !config.needs().reward_model;
    let all = methods.chain(granularities).map(read);
    all.filter(takes_log_probs).collect()
}

fn side<B: AutodiffBackend>(
    rng: &mut ChaCha8Rng,
    pairs: usize,
    tokens: usize,
    device: &B::Device,
) -> (Side<B>, Vec<Segments>) {
    let lengths: Vec<usize> = (0..pairs)
        .map(|_| rng.random_range(tokens / 2..=tokens))
        .collect();
    let mut column = |low: f32, high: f32| -> Tensor<B, 2> {
        let mut values = vec![0.0; pairs * tokens];
        for (row, &length) in values.chunks_mut(tokens).zip(&lengths) {
            row[..length].fill_with(|| rng.random_range(low..high));
        }
        Tensor::from_data(TensorData::new(values, [pairs, tokens]), device)
    };
    let mut side = Side::from_lengths(column(-4.0, 0.0).require_grad(), &lengths)
        .with_reference(column(-4.0, 0.0));
    side.varied = Some(column(0.0, 1.0).lower_elem(0.3).float());
    side.importance = Some(column(0.0, 1.0));
    side.kl = Some(column(0.0, 1.0).require_grad());
    let parts = column(0.0, 3.0).floor();
    side.parts = Some(Tensor::<B, 2, Int>::clamp_max(parts.int(), 2));
    let segments = lengths.iter().map(|&n| segments(rng, n)).collect();
    (side, segments)
}

fn segments(rng: &mut ChaCha8Rng, n: usize) -> Segments {
    let count = SEGMENTS.min(n);
    let ranges = (0..count).map(|k| k * n / count..(k + 1) * n / count);
    let scores = (0..count).map(|_| -> [f64; N_ASPECTS] {
        std::array::from_fn(|_| f64::from(rng.random_range(0..5)))
    });
    Segments::new(n, ranges.collect(), scores.collect()).expect("the ranges divide the answer")
}
