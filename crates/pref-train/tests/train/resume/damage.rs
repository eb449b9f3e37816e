//! Damaged and foreign files in a run's folder: what is skipped, removed or computed again.

use super::*;

/// Changes one byte in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Damages the newest checkpoint of a run of two steps. The run must resume from the previous checkpoint.
#[track_caller]
fn check_skipped(what: &str, harm: impl FnOnce(&Path)) {
    let bench = Bench::new();
    let (whole, metrics) = bench.undisturbed(&[]);
    let plan = bench.plan("run", &[]);
    bench.two_steps(&plan);
    harm(&bench.path("run/checkpoints/step-000002"));
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(notes.contains("skipped a damaged checkpoint"), "{notes}");
    assert!(notes.contains("resumed after step 1"), "{notes}");
    assert!(notes.contains(what), "{what}: {notes}");
    assert_eq!(weights(&bench.path("run")), whole);
    assert_eq!(common::metrics(&bench.path("run")), metrics);
}

#[test]
fn a_checkpoint_with_a_changed_byte_is_skipped() {
    for name in ["model.safetensors", "optimizer.safetensors", "state.json"] {
        check_skipped(name, |folder| damage(&folder.join(name)));
    }
}

#[test]
fn a_checkpoint_without_one_of_its_files_is_skipped() {
    for name in ["model.safetensors", "optimizer.safetensors"] {
        check_skipped(name, |folder| fs::remove_file(folder.join(name)).unwrap());
    }
}

#[test]
fn a_checkpoint_of_another_step_is_skipped() {
    check_skipped("the run ends after 4 steps", |folder| {
        fs::rename(folder, folder.with_file_name("step-000099")).unwrap();
    });
    check_skipped("its state belongs to step 2", |folder| {
        fs::rename(folder, folder.with_file_name("step-000003")).unwrap();
    });
}

#[test]
fn other_folders_are_kept_and_leftovers_are_removed() {
    let bench = Bench::new();
    let (whole, _) = bench.undisturbed(&[]);
    let plan = bench.plan("run", &["output.keep-checkpoints=2"]);
    bench.two_steps(&plan);
    let checkpoints = bench.path("run/checkpoints");
    for stray in ["step-000003", "step-7", "step-x", "notes"] {
        fs::create_dir(checkpoints.join(stray)).unwrap();
    }
    let leftovers = [
        checkpoints.join(".step-000004.tmp"),
        bench.path("run/.model.tmp"),
        bench.path("run/.model.old"),
    ];
    for folder in &leftovers {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("model.safetensors"), "half").unwrap();
    }
    fs::write(bench.path("run/.plan.toml.tmp"), "half").unwrap();
    // The state after a kill between renaming the old checkpoint and renaming the new one.
    let (newest, aside) = (
        checkpoints.join("step-000002"),
        checkpoints.join(".step-000002.old"),
    );
    fs::rename(&newest, &aside).unwrap();
    fs::create_dir(bench.path("run/model")).unwrap();
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    assert!(memory.notes.contains(&"resumed after step 2".to_owned()));
    for path in leftovers
        .iter()
        .chain([&aside, &bench.path("run/.plan.toml.tmp")])
    {
        assert!(!path.exists(), "{}", path.display());
    }
    assert_eq!(weights(&bench.path("run")), whole);
    // Two checkpoints are kept. Other folders are neither counted nor removed.
    assert!(checkpoints.join("step-000004/state.json").is_file());
    assert!(checkpoints.join("step-000003/state.json").is_file());
    assert!(!newest.exists());
    assert!(checkpoints.join("step-7").exists());
}

#[test]
fn reference_log_probs_with_a_changed_byte_are_computed_again() {
    let bench = Bench::new();
    let plan = bench.plan("run", &["train.steps=1"]);
    let file = bench.path("run/reference.safetensors");
    let again = || {
        for name in ["checkpoints", "model"] {
            let _ = fs::remove_dir_all(bench.path("run").join(name));
        }
        let (_, memory) = common::run::<Cpu>(&plan, false).unwrap();
        let note = "reference log-probs read";
        memory.notes.iter().any(|n| n.contains(note))
    };
    assert!(!again());
    let bytes = fs::read(&file).unwrap();
    assert!(again(), "an undamaged file is read");
    damage(&file);
    assert!(!again(), "a damaged one is not");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_part_of_the_reference_log_probs_is_kept_only_while_it_is_undamaged() {
    let bench = Bench::new();
    let plan = bench.plan("run", &["train.steps=1"]);
    let part = bench.path("run/.reference.safetensors.part");
    let scored = || {
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: 0,
            stop: &stop,
        };
        match pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &stop) {
            Ok(Outcome::Unstarted { scored, .. }) => scored,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([scored(), scored()], [2, 4]);
    // Damage a value of the finished pairs.
    let mut bytes = fs::read(&part).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let done = (header..bytes.len() - 40).step_by(4);
    let value = done
        .clone()
        .find(|&at| bytes[at..at + 4] != [0; 4])
        .unwrap();
    bytes[value] ^= 1;
    fs::write(&part, &bytes).unwrap();
    assert_eq!(scored(), 2, "it starts again");
}
