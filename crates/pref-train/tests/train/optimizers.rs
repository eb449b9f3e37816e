//! Optimisers and groups of parameters, compared step by step with `torch.optim`, and in runs that resume.

use std::collections::BTreeMap;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use pref_train::{NamedGradients, Optimizer, Plan, Settings, TrainBackend};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::common;

/// Largest allowed error of a parameter, relative to the largest parameter.
const TOLERANCE: f64 = 1e-6;

/// The file that `fixtures/optimizers/make.py` prints.
#[derive(Deserialize)]
struct Steps {
    rate: f64,
    start: BTreeMap<String, Vec<f64>>,
    gradients: Vec<BTreeMap<String, Vec<f64>>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    train: Map<String, Value>,
    after: Vec<BTreeMap<String, Vec<f64>>>,
}

fn steps() -> Steps {
    let path = common::workspace("fixtures/optimizers/steps.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[derive(Module, Debug)]
struct Parameters<B: Backend> {
    embed_tokens: Param<Tensor<B, 2>>,
    tall: Param<Tensor<B, 2>>,
    wide: Param<Tensor<B, 2>>,
    norm: Param<Tensor<B, 1>>,
}

fn tensor<B: Backend, const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<B, D> {
    let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

impl<B: Backend> Parameters<B> {
    fn new(values: &BTreeMap<String, Vec<f64>>) -> Self {
        let matrix = |name: &str, shape| Param::from_tensor(tensor(&values[name], shape));
        Self {
            embed_tokens: matrix("embed_tokens", [5, 3]),
            tall: matrix("tall", [7, 3]),
            wide: matrix("wide", [3, 6]),
            norm: Param::from_tensor(tensor(&values["norm"], [3])),
        }
    }

    fn values(&self) -> [(&'static str, Vec<f32>); 4] {
        let matrix = |param: &Param<Tensor<B, 2>>| param.val().into_data().iter().collect();
        [
            ("embed_tokens", matrix(&self.embed_tokens)),
            ("tall", matrix(&self.tall)),
            ("wide", matrix(&self.wide)),
            ("norm", self.norm.val().into_data().iter().collect()),
        ]
    }
}

impl<B: TrainBackend> Parameters<B> {
    /// The gradients of a loss that is linear in the parameters.
    fn gradients(
        &self,
        of: &BTreeMap<String, Vec<f64>>,
        scale: f64,
    ) -> NamedGradients<B::InnerBackend> {
        let matrix = |param: &Param<Tensor<B, 2>>, name: &str| {
            let shape = param.val().dims();
            (param.val() * tensor(&of[name], shape)).sum()
        };
        let loss = matrix(&self.embed_tokens, "embed_tokens")
            + matrix(&self.tall, "tall")
            + matrix(&self.wide, "wide")
            + (self.norm.val() * tensor(&of["norm"], [3])).sum();
        let mut gradients = NamedGradients::default();
        gradients.accumulate::<B, _>(self, (loss * scale).backward());
        gradients
    }
}

fn plan_of(train: &Map<String, Value>, rate: f64) -> Plan {
    let mut settings = Settings::default();
    let mut train = train.clone();
    train.insert("learning-rate".to_owned(), json!(rate));
    let table = json!({"model": {"path": "m"}, "data": {"train": "d"}, "train": train});
    settings.layer(table.as_object().unwrap(), "test").unwrap();
    Plan::from_settings(settings).unwrap()
}

fn check<B: TrainBackend>() {
    let Steps {
        rate,
        start,
        gradients,
        cases,
    } = steps();
    assert_eq!(cases.len(), 10);
    for Case { train, after } in cases {
        // A gradient of twice the size that is clipped to the half is the same.
        for (scale, gradient_scale) in [(1.0, 1.0), (2.0, 0.5)] {
            let plan = plan_of(&train, rate);
            let mut module = Parameters::<B>::new(&start);
            let mut optimizer = Optimizer::new(&plan.train, &module).unwrap();
            for (step, (gradients, theirs)) in gradients.iter().zip(&after).enumerate() {
                let gradients = module.gradients(gradients, scale);
                module = optimizer.step::<B, _>(module, gradients, gradient_scale, rate);
                for (name, ours) in module.values() {
                    let theirs = &theirs[name];
                    assert_eq!(ours.len(), theirs.len());
                    let largest = theirs.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
                    for (ours, theirs) in ours.iter().zip(theirs) {
                        let error = (f64::from(*ours) - theirs).abs() / largest;
                        assert!(
                            error <= TOLERANCE,
                            "{train:?}, step {step}, {name}: {ours} is {error:.1e} from {theirs}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_optimiser_follows_torch_on_flex() {
    check::<Autodiff<Flex>>();
}

#[test]
fn every_optimiser_follows_torch_on_ndarray() {
    check::<Autodiff<NdArray>>();
}

#[track_caller]
fn refused(groups: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 4);
    let plan = common::plan(&[
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", data.display()),
        format!("output.folder={}", folder.path().join("run").display()),
        format!("train.groups={groups}"),
    ]);
    common::run::<Autodiff<Flex>>(&plan, false)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_group_without_parameters_is_explained() {
    insta::assert_snapshot!(
        [
            refused(r#"[{match = "model.layer.0.*", weight-decay = 0.1}]"#),
            refused(
                r#"[{match = "*norm*", weight-decay = 0.1}, {match = "model.norm.*", learning-rate = 1.0}]"#
            ),
        ]
        .join("\n")
    );
}
