//! The papers' claims. In: outcomes. Out: for each claim the difference that decides it.

use crate::interval::Interval;
use crate::runs::{Outcome, seeds, selected};

/// What a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The share of problems that samples solve.
    Sampled,
    /// The KL divergence from the reference; smaller is better.
    Kl,
}

/// One method is better than another.
pub(crate) struct Claim {
    pub(crate) source: &'static str,
    pub(crate) text: &'static str,
    pub(crate) better: &'static str,
    pub(crate) worse: &'static str,
    pub(crate) measure: Measure,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    DoesNotHold,
    Undecided,
}

const fn claim(
    source: &'static str,
    text: &'static str,
    better: &'static str,
    worse: &'static str,
) -> Claim {
    Claim {
        source,
        text,
        better,
        worse,
        measure: Measure::Sampled,
    }
}

/// All claims that are tested.
pub(crate) fn all() -> Vec<Claim> {
    vec![
        claim(
            "ADPO",
            "groups of tokens are better than whole answers: adaptive 8",
            "adpo-a8",
            "dpo",
        ),
        claim("ADPO", "the same, adaptive 2", "adpo-a2", "dpo"),
        claim("ADPO", "the same, static 4", "adpo-s4", "dpo"),
        claim(
            "ADPO",
            "single tokens as groups are better than whole answers",
            "adpo-s1",
            "dpo",
        ),
        claim(
            "cDPO",
            "weighing critical tokens is better than DPO",
            "cdpo",
            "dpo",
        ),
        claim(
            "cADPO",
            "weighing critical tokens helps ADPO",
            "cadpo-a8",
            "adpo-a8",
        ),
        claim("SimPO", "SimPO is better than DPO", "simpo", "dpo"),
        claim(
            "SimPO",
            "the same, both without an SFT term",
            "simpo-alone",
            "dpo-alone",
        ),
        claim("IPO", "IPO is better than DPO", "ipo", "dpo"),
        claim("ORPO", "ORPO is better than DPO", "orpo", "dpo"),
        claim(
            "R-DPO",
            "a penalty on length is better than none",
            "rdpo",
            "dpo",
        ),
        claim(
            "KTO",
            "KTO is at least as good as DPO without an SFT term",
            "kto",
            "dpo-alone",
        ),
        claim("TDPO", "TDPO2 is better than DPO", "tdpo2", "dpo"),
        Claim {
            measure: Measure::Kl,
            ..claim(
                "TDPO",
                "TDPO2 stays nearer to the reference than DPO",
                "tdpo2",
                "dpo",
            )
        },
        claim("TDPO", "TDPO2 is better than TDPO1", "tdpo2", "tdpo1"),
        claim(
            "FIGA",
            "FIGA is better than SFT on the chosen answers",
            "figa",
            "sft",
        ),
        claim(
            "HiPO",
            "weighed parts are better than whole answers",
            "hipo",
            "dpo",
        ),
        claim(
            "2D-DPO",
            "scored steps are better than whole answers",
            "2d-dpo",
            "dpo",
        ),
        claim(
            "2D-DPO",
            "several aspects are better than one",
            "2d-dpo",
            "1d-dpo",
        ),
        claim(
            "DPO-BMC",
            "near pairs and weighed tokens are better than DPO",
            "dpo-bmc",
            "dpo",
        ),
        claim(
            "DPO-BMC",
            "near pairs alone are better than DPO",
            "dpo-bc",
            "dpo",
        ),
        claim(
            "DPO-BMC",
            "weighed tokens alone are better than DPO",
            "dpo-mc",
            "dpo",
        ),
        claim(
            "DPO-BMC",
            "both are better than near pairs alone",
            "dpo-bmc",
            "dpo-bc",
        ),
        claim(
            "DPO-BMC",
            "both are better than weighed tokens alone",
            "dpo-bmc",
            "dpo-mc",
        ),
        claim("Pref", "an SFT term helps DPO", "dpo", "dpo-alone"),
        claim("Pref", "an SFT term helps ADPO", "adpo-a8", "adpo-a8-alone"),
        claim(
            "Pref",
            "pairs are better than SFT on their chosen answers",
            "dpo",
            "sft",
        ),
    ]
}

impl Claim {
    /// The mean over seeds of the advantage, with its interval. Both methods have the same data and seed.
    pub(crate) fn advantage(&self, outcomes: &[Outcome]) -> Option<Interval> {
        let value = |outcome: &Outcome| match self.measure {
            Measure::Sampled => Some(outcome.sampled),
            Measure::Kl => outcome.kl.map(|kl| -kl),
        };
        let of = |method: &str, seed: u64| selected(outcomes, method, seed).and_then(value);
        let differences: Vec<f64> = seeds(outcomes)
            .into_iter()
            .filter_map(|seed| Some(of(self.better, seed)? - of(self.worse, seed)?))
            .collect();
        Interval::of(&differences)
    }
}

impl Verdict {
    /// The verdict on an advantage.
    pub(crate) fn of(advantage: Interval) -> Self {
        match (advantage.low > 0.0, advantage.high < 0.0) {
            (true, _) => Verdict::Holds,
            (_, true) => Verdict::DoesNotHold,
            _ => Verdict::Undecided,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::DoesNotHold => "does not hold",
            Verdict::Undecided => "undecided",
        }
    }
}
