//! Win rates against the program of AlpacaEval 2. In: `fixtures/win-rates`. Out: agreement.

use std::path::Path;

use pref_eval::{Duel, GamedDuel, WinRate, win_rate};
use serde_json::Value;

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/win-rates");
    std::fs::read_to_string(folder.join(name)).expect("the fixture is there")
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).expect("the fixture is JSON")
}

/// The rows of `df_gamed.csv`: model, index, preference, std_delta_len, instruction_difficulty, not_gamed_baseline.
fn gamed() -> Vec<(usize, GamedDuel)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let float = |i: usize| cells[i].parse::<f64>().expect("a number");
        let duel = GamedDuel {
            preference: float(2),
            length_difference: float(3),
            difficulty: float(4),
        };
        (cells[1].parse().expect("a number"), duel)
    };
    fixture("df_gamed.csv").lines().skip(1).map(row).collect()
}

/// The annotations of a model.
fn duels(name: &str, difficulty: impl Fn(usize) -> Option<f64>) -> Vec<Duel> {
    let all = json("annotations.json");
    let rows = all[name].as_array().expect("a list");
    let duel = |(i, row): (usize, &Value)| {
        let [preference, baseline, own] = [0, 1, 2].map(|i| row[i].as_f64().expect("a number"));
        Duel {
            preference: preference - 1.0,
            length: own as usize,
            baseline_length: baseline as usize,
            difficulty: difficulty(i),
        }
    };
    rows.iter().enumerate().map(duel).collect()
}

/// The share, in percent.
fn controlled(rate: &WinRate) -> f64 {
    100.0 * rate.length_controlled.mean
}

#[test]
fn length_controlled_rates_are_those_of_alpaca_eval() {
    let gamed = gamed();
    let known: Vec<GamedDuel> = gamed.iter().map(|(_, duel)| *duel).collect();
    let difficulty = |i: usize| {
        gamed
            .iter()
            .find(|(index, _)| *index == i)
            .map(|(_, duel)| duel.difficulty)
    };
    let values = json("values.json");
    for (name, expected) in values.as_object().expect("an object") {
        let with = duels(name, difficulty);
        let variants = [
            ("length_controlled_v1", win_rate(&with, &known, 0)),
            ("length_controlled_noreg", win_rate(&with, &[], 0)),
            (
                "length_controlled_minimal",
                win_rate(&duels(name, |_| None), &[], 0),
            ),
        ];
        for (variant, found) in variants {
            let found = found.expect("there are questions");
            let expected = |key: &str| expected[key].as_f64().expect("a number");
            let difference = controlled(&found) - expected(variant);
            // In points. Their solver stops at a tolerance of 1e-4.
            assert!(
                difference.abs() < 0.05,
                "{name}, {variant}: {found:?} differs by {difference}"
            );
            assert!((100.0 * found.rate.mean - expected("win_rate")).abs() < 1e-9);
            assert!((100.0 * found.discrete.mean - expected("discrete_win_rate")).abs() < 1e-9);
            let inside = found.length_controlled;
            assert!(
                inside.low <= inside.mean && inside.mean <= inside.high,
                "{found:?}"
            );
        }
    }
}

#[test]
fn a_model_against_itself_wins_half() {
    let duels: Vec<Duel> = (0..50)
        .map(|i| Duel {
            preference: 0.5,
            length: 100 + i,
            baseline_length: 100 + i,
            difficulty: Some(i as f64 / 10.0 - 2.0),
        })
        .collect();
    let known: Vec<GamedDuel> = gamed().into_iter().map(|(_, duel)| duel).collect();
    for gamed in [&[][..], &known] {
        let found = win_rate(&duels, gamed, 0).expect("there are questions");
        let rate = found.length_controlled;
        assert_eq!([rate.mean, rate.low, rate.high], [0.5; 3]);
        assert_eq!((found.wins, found.ties, found.losses), (0, 50, 0));
    }
}

#[test]
fn exchanged_models_have_the_remaining_share() {
    let own = duels("longer", |_| None);
    let other: Vec<Duel> = own
        .iter()
        .map(|duel| Duel {
            preference: 1.0 - duel.preference,
            length: duel.baseline_length,
            baseline_length: duel.length,
            difficulty: None,
        })
        .collect();
    let [own, other] = [own, other].map(|duels| win_rate(&duels, &[], 0).expect("questions"));
    assert!((own.length_controlled.mean + other.length_controlled.mean - 1.0).abs() < 1e-9);
    assert!((own.length_controlled.low + other.length_controlled.high - 1.0).abs() < 1e-9);
    assert_eq!((own.wins, own.losses), (other.losses, other.wins));
}

#[test]
fn there_is_a_rate_for_any_judgements() {
    let duel = |preference, length| Duel {
        preference,
        length,
        baseline_length: 10,
        difficulty: None,
    };
    assert_eq!(win_rate(&[], &[], 0), None);
    for duels in [
        vec![duel(1.0, 10)],
        vec![duel(1.0, 10), duel(1.0, 30), duel(1.0, 500)],
        vec![duel(0.0, 0); 30],
        // The length decides everything.
        (0..40)
            .map(|i| duel(f64::from(u8::from(i >= 20)), i))
            .collect(),
    ] {
        let found = win_rate(&duels, &[], 0).expect("there are questions");
        let rate = found.length_controlled;
        for value in [rate.mean, rate.low, rate.high] {
            assert!((0.0..=1.0).contains(&value), "{duels:?}: {found:?}");
        }
    }
}
