//! Runs of several processes. With the feature `mpi`, two processes that `mpirun` starts; without it, the error
//! of a program that was started several times.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

#[cfg(feature = "mpi")]
#[path = "ranks/pair.rs"]
mod pair;

/// The variables of Open MPI's launcher.
const LAUNCHED: [(&str, &str); 2] = [("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "0")];

#[test]
fn a_command_that_cannot_divide_its_work_is_refused() {
    let output = common::pref(&["objectives"]).envs(LAUNCHED).output();
    let said = common::Said::new(&output.unwrap());
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    insta::assert_snapshot!(said.err, @"error: OMPI_COMM_WORLD_SIZE = 2: this command is one process, and cannot divide its work; start it without mpirun or srun");
}

#[cfg(not(feature = "mpi"))]
#[test]
fn a_program_without_mpi_refuses_to_train_several_times() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 4).display().to_string();
    let output = folder.path().join("run").display().to_string();
    let llama = common::model("llama");
    let arguments = [
        "train", "--data", &data, "--model", &llama, "--output", &output,
    ];
    let said = common::pref(&arguments).envs(LAUNCHED).output().unwrap();
    let said = common::Said::new(&said);
    assert_eq!(said.code, Some(1));
    assert!(!std::path::Path::new(&output).exists());
    insta::assert_snapshot!(said.err, @"error: OMPI_COMM_WORLD_SIZE = 2: 2 processes were started, but this `pref` was built without MPI, so each would do all the work and write the same files; build it with `cargo build --release -p pref-cli --features mpi`, which needs an MPI library and libclang (on Debian libopenmpi-dev and libclang-dev), or start one process");
    // One message is enough.
    let other = [LAUNCHED[0], ("OMPI_COMM_WORLD_RANK", "1")];
    let other = common::pref(&arguments).envs(other).output().unwrap();
    assert_eq!(common::Said::new(&other).err, "");
}

/// The values of `pref plan` on the tiny Llama of the fixtures, as JSON.
fn predicted(more: &[&str]) -> serde_json::Value {
    let llama = common::model("llama");
    let lengths = ["--prompt-tokens", "100", "--answer-tokens", "60", "--json"];
    let said = common::run(&[&["plan", &llama], &lengths[..], more].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.lines().remove(0)
}

#[test]
fn a_step_is_predicted_from_the_shape_of_the_model() {
    // 3 layers of width 64 with 4 heads of 16, 2 of keys and values, an MLP of 176, and 1,024 ids.
    let linear = 3 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 176);
    let parameters = 2 * 1024 * 64 + linear + 7 * 64;
    let one = predicted(&["--gpu", "cpu"]);
    let (memory, time) = (&one["forecast"]["memory"], &one["forecast"]["time"]);
    assert_eq!(one["forecast"]["parameters"], parameters);
    assert_eq!(memory["weights"], 4 * parameters);
    assert_eq!(memory["moments"], 8 * parameters);
    assert_eq!(memory["sums"], 0);
    // A row is a prompt and both answers; a pass of at least 512 tokens holds two.
    assert_eq!(one["forecast"]["tokens"], 8 * 220);
    assert_eq!(one["forecast"]["tokens_of_a_pass"], 2 * 220);
    // Three passes over each product: 220 tokens in the layers, 120 in the head, and 80.5 tokens that a token sees.
    let products = f64::from(linear) * 220.0 + f64::from(1024 * 64 * 120);
    let attention = 3.0 * 2.0 * 64.0 * 80.5 * 220.0;
    let flops = 6.0 * (products + attention) * 8.0;
    assert!((time["flops"].as_f64().unwrap() / flops - 1.0).abs() < 1e-12);
    assert_eq!(time["traffic"], 0.0);

    let four = predicted(&["--gpu", "cpu", "--gpus", "4"]);
    let traffic = four["forecast"]["time"]["traffic"].as_f64().unwrap();
    assert_eq!(traffic, 2.0 * 0.75 * 4.0 * f64::from(parameters));
    assert_eq!(four["forecast"]["passes"], 1);

    // Two projections of each layer have an adapter, and the rest is frozen.
    let adapter = predicted(&[
        "--set",
        "train.lora.rank=4",
        "--set",
        "model.reference=adapter-off",
    ]);
    assert_eq!(adapter["forecast"]["trained"], 3 * 4 * (64 + 64 + 64 + 32));
    assert_eq!(adapter["forecast"]["memory"]["reference"], 0);
    // Inputs of the layers and of the last norms, and the values of one layer, computed a second time.
    let settings = ["train.checkpoint-activations=true", "train.optimizer=sgd"];
    let again = predicted(&["--gpu", "cpu", "--set", settings[0], "--set", settings[1]]);
    let layer = 4 * 64 + 12 * 16 + 3 * 176;
    let memory = &again["forecast"]["memory"];
    assert_eq!(memory["activations"], 2 * 220 * (5 * 64 + layer) * 4);
    assert_eq!(memory["moments"], 0);
    let more = 2.0 * (f64::from(linear) * 220.0 + attention) * 8.0;
    let found = again["forecast"]["time"]["flops"].as_f64().unwrap();
    assert!((found / (flops + more) - 1.0).abs() < 1e-12);
    // The inputs of the norms stay in float32; all rows are one pass on a GPU.
    let half = predicted(&["--set", "train.precision=bf16"]);
    let (wide, all) = (2 * 4 * 64, 3 * layer + 2 * 64);
    let bytes = 8 * 220 * (wide * 4 + (all - wide) * 2);
    assert_eq!(half["forecast"]["memory"]["activations"], bytes);

    let sft = predicted(&["--objective", "sft"]);
    assert_eq!(sft["forecast"]["tokens"], 8 * 160);
}

#[test]
fn a_prediction_is_printed_as_text() {
    let llama = common::model("llama");
    let said = common::run(&[
        "plan",
        &llama,
        "--gpus",
        "2",
        "--answer-tokens",
        "300",
        "--prompt-tokens",
        "200",
    ]);
    insta::assert_snapshot!(said.out);
    let said = common::run(&["plan", &llama, "--answer-tokens", "1300"]);
    let error = said.failure(std::path::Path::new("/none"));
    insta::assert_snapshot!(error, @"[1] error: --prompt-tokens 512 and --answer-tokens 1300 are more than the 512 positions of [workspace]/fixtures/models/llama; give smaller numbers");
}
