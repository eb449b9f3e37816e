//! The methods that are compared. In: nothing. Out: for each method its objective and the file that it trains on.

/// Learning rates that are searched.
pub(crate) const RATES: [f64; 4] = [3e-5, 1e-4, 3e-4, 1e-3];

/// A method with its settings.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// The value of `--objective`.
    pub(crate) objective: &'static str,
    /// The file in the folder of a seed.
    pub(crate) data: &'static str,
    /// Whether the SFT term of 1 is added.
    pub(crate) has_sft: bool,
    pub(crate) settings: &'static [&'static str],
}

const PAIRS: &str = "annotated.jsonl";
/// Right solutions that differ little from the wrong ones: what bridging (BMC) makes.
const NEAREST: &str = "nearest.jsonl";

const fn plain(name: &'static str) -> Method {
    Method {
        name,
        objective: name,
        data: PAIRS,
        has_sft: true,
        settings: &[],
    }
}

const fn with(
    name: &'static str,
    objective: &'static str,
    settings: &'static [&'static str],
) -> Method {
    Method {
        name,
        objective,
        settings,
        ..plain(name)
    }
}

/// All methods, in the order of the page.
pub(crate) fn all() -> Vec<Method> {
    vec![
        plain("dpo"),
        with("adpo-s1", "adpo", &["objective.granularity={ static = 1 }"]),
        with("adpo-s2", "adpo", &["objective.granularity={ static = 2 }"]),
        with("adpo-s4", "adpo", &["objective.granularity={ static = 4 }"]),
        with("adpo-s8", "adpo", &["objective.granularity={ static = 8 }"]),
        with(
            "adpo-a2",
            "adpo",
            &["objective.granularity={ adaptive = 2 }"],
        ),
        with(
            "adpo-a8",
            "adpo",
            &["objective.granularity={ adaptive = 8 }"],
        ),
        with(
            "adpo-a16",
            "adpo",
            &["objective.granularity={ adaptive = 16 }"],
        ),
        with(
            "adpo-a128",
            "adpo",
            &["objective.granularity={ adaptive = 128 }"],
        ),
        with(
            "adpo-a256",
            "adpo",
            &["objective.granularity={ adaptive = 256 }"],
        ),
        plain("cdpo"),
        with(
            "cadpo-a8",
            "cadpo",
            &["objective.granularity={ adaptive = 8 }"],
        ),
        plain("simpo"),
        plain("ipo"),
        plain("orpo"),
        plain("rdpo"),
        Method {
            has_sft: false,
            ..plain("kto")
        },
        plain("tdpo1"),
        plain("tdpo2"),
        Method {
            has_sft: false,
            ..plain("figa")
        },
        with(
            "hipo",
            "hipo",
            &["objective.part_weights={ reasoning = 0.6, answer = 0.4 }"],
        ),
        plain("1d-dpo"),
        plain("2d-dpo"),
        Method {
            data: NEAREST,
            ..with("dpo-bc", "dpo", &[])
        },
        with("dpo-mc", "dpo-bmc", &[]),
        Method {
            data: NEAREST,
            ..plain("dpo-bmc")
        },
        Method {
            has_sft: false,
            ..plain("sft")
        },
        Method {
            has_sft: false,
            ..with("dpo-alone", "dpo", &[])
        },
        Method {
            has_sft: false,
            ..with(
                "adpo-a8-alone",
                "adpo",
                &["objective.granularity={ adaptive = 8 }"],
            )
        },
        Method {
            has_sft: false,
            ..with("simpo-alone", "simpo", &[])
        },
    ]
}
