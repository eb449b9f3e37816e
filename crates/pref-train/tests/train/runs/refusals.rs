//! What stops a run, and what its error says.

use super::*;

#[test]
fn rows_that_are_no_pairs_are_passed_over_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let mut text = std::fs::read_to_string(&data).unwrap();
    text.push_str("{\"prompt\": \"only\"}\nnot json\n");
    // Tokenization ends the first answer with the token that the second answer already has, so the ids are the
    // same.
    text.push_str("{\"prompt\": \"Who?\", \"chosen\": \"me\", \"rejected\": \"me<|im_end|>\"}\n");
    std::fs::write(&data, text).unwrap();
    let run = folder.path().join("run");
    assert!(common::run::<Cpu>(&plan(&data, &run, &[]), false).is_err());
    let skip = plan(&data, &run, &["data.on-error=skip", "train.steps=1"]);
    let (_, memory) = common::run::<Cpu>(&skip, false).unwrap();
    assert!(
        memory.notes.iter().any(|n| n.contains("3 rows skipped")),
        "{:?}",
        memory.notes
    );
    let rejects = std::fs::read_to_string(run.join("rejects.txt")).unwrap();
    let rejects = rejects.replace(&folder.path().display().to_string(), "[folder]");
    insta::assert_snapshot!(rejects);
}

#[track_caller]
fn refused(plan: &Plan, resume: bool) -> TrainError {
    common::run::<Cpu>(plan, resume).expect_err("the run must not start")
}

#[test]
fn a_folder_with_a_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let first = plan(&data, &run, &["train.steps=1"]);
    common::run::<Cpu>(&first, false).unwrap();
    let error = refused(&first, false);
    assert!(
        error.to_string().contains("already holds a run at step 1"),
        "{error}"
    );

    let other = plan(&data, &run, &["train.steps=1", "objective.beta=0.5"]);
    let error = refused(&other, true);
    assert!(
        error.to_string().contains("objective.beta: 0.1 → 0.5"),
        "{error}"
    );
}

#[test]
fn resuming_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let error = refused(&plan(&data, &folder.path().join("run"), &[]), true);
    assert!(
        matches!(error, TrainError::NothingToResume { .. }),
        "{error}"
    );
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_names_rows_and_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let wild = [
        "train.learning-rate=1e30",
        "train.max-grad-norm=0",
        "train.warmup-steps=0",
    ];
    let error = refused(&plan(&data, &run, &wild), false);
    let (TrainError::NotFinite {
        step,
        places,
        checkpoint,
        ..
    }
    | TrainError::NotFiniteGradient {
        step,
        places,
        checkpoint,
        ..
    }) = error
    else {
        panic!("{error}");
    };
    assert_eq!(step, 2);
    assert!(!places.is_empty());
    for place in places {
        assert!((1..=10).contains(&place.line));
        assert_eq!(place.file.as_deref(), Some(data.as_path()));
    }
    assert!(checkpoint.ends_with("step-000001"));
    assert!(checkpoint.join("model.safetensors").is_file());
}

#[test]
fn limits_longer_than_the_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let long = plan(
        &data,
        &folder.path().join("run"),
        &["data.max-length=100000"],
    );
    let error = refused(&long, false);
    assert!(error.to_string().contains("512 positions"), "{error}");
}

#[test]
fn bfloat16_is_refused_on_a_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let error = refused(&plan(&data, &run, &["train.precision=bf16"]), false);
    assert!(matches!(error, TrainError::Bf16OnDevice { .. }), "{error}");
    assert!(error.to_string().contains("float32 and back"), "{error}");
}
