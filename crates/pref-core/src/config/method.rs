//! The methods by name. In: a name. Out: a [`Method`], its equation and its source.

/// A method that a configuration can name in `method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`MethodInfo` describes each variant")]
pub enum Method {
    Dpo,
    Robust,
    Hinge,
    Ipo,
    SimPo,
    Rdpo,
    Orpo,
    Adpo,
    Cdpo,
    Cadpo,
    Hipo,
    Dpo2d,
    Dpo1d,
    DpoBmc,
    IpoBmc,
    SimPoBmc,
    RdpoBmc,
    OrpoBmc,
    D2po,
    LdDpo,
    Exo,
    Nca,
    Sppo,
    ApoZero,
    ApoDown,
    DiscoPop,
    Tdpo1,
    Tdpo2,
    Figa,
    Kto,
    Bvpo,
    Sft,
    Sum,
    BradleyTerry,
    Segments,
}

/// Name, equation and source of a method, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// The name that a configuration has in `method`.
    pub name: &'static str,
    /// Loss of one pair, or of one answer.
    pub equation: &'static str,
    /// The paper that defines the method, with the number of the equation if there is one.
    pub source: &'static str,
}

impl Method {
    /// Every method, in the order of listings.
    pub const ALL: [Method; 35] = [
        Method::Dpo,
        Method::Robust,
        Method::Hinge,
        Method::Ipo,
        Method::SimPo,
        Method::Rdpo,
        Method::Orpo,
        Method::Adpo,
        Method::Cdpo,
        Method::Cadpo,
        Method::Hipo,
        Method::Dpo2d,
        Method::Dpo1d,
        Method::DpoBmc,
        Method::IpoBmc,
        Method::SimPoBmc,
        Method::RdpoBmc,
        Method::OrpoBmc,
        Method::D2po,
        Method::LdDpo,
        Method::Exo,
        Method::Nca,
        Method::Sppo,
        Method::ApoZero,
        Method::ApoDown,
        Method::DiscoPop,
        Method::Tdpo1,
        Method::Tdpo2,
        Method::Figa,
        Method::Kto,
        Method::Bvpo,
        Method::Sft,
        Method::Sum,
        Method::BradleyTerry,
        Method::Segments,
    ];

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|m| m.name() == name)
    }

    /// The name that a configuration has in `method`.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Name, equation and source.
    pub fn info(self) -> MethodInfo {
        let (name, equation, source) = match self {
            Method::Dpo => (
                "dpo",
                "−(1−ε) log σ(βΔ) − ε log σ(−βΔ),  Δ = Σ d_t(y_w) − Σ d_t(y_l)",
                "Rafailov et al. 2023, eq. 7; ε: Mitchell 2023 (conservative DPO)",
            ),
            Method::Robust => (
                "robust",
                "(−(1−ε) log σ(βΔ) + ε log σ(−βΔ)) / (1−2ε)",
                "Chowdhury et al. 2024",
            ),
            Method::Hinge => ("hinge", "max(0, 1 − βΔ)", "Zhao et al. 2023 (SLiC)"),
            Method::Ipo => ("ipo", "(Δ − 1/(2τ))²", "Azar et al. 2023"),
            Method::SimPo => (
                "simpo",
                "−log σ(β Σp_t(y_w)/n_w − β Σp_t(y_l)/n_l − γ)",
                "Meng et al. 2024",
            ),
            Method::Rdpo => (
                "rdpo",
                "−log σ(βΔ − α(n_w − n_l))",
                "Park et al. 2024; sign of Jiang et al. 2024, table 7",
            ),
            Method::Orpo => (
                "orpo",
                "−a_w − λ log σ(o_w − o_l),  a = Σp_t/n,  o = a − log(1 − e^a)",
                "Hong et al. 2024",
            ),
            Method::Adpo => (
                "adpo",
                "Σ_g −log σ(β (S_w(g) − S_l(g))),  S(g) = Σ_{t∈g} d_t",
                "Autoregressive DPO, eq. 12",
            ),
            Method::Cdpo => (
                "cdpo",
                "dpo with d_t of rejected tokens multiplied by 1 − s_t",
                "Lin et al. 2024 (Critical Tokens Matter), eq. 16",
            ),
            Method::Cadpo => (
                "cadpo",
                "adpo with d_t of rejected tokens multiplied by 1 − s_t",
                "Autoregressive DPO, eq. 17",
            ),
            Method::Hipo => (
                "hipo",
                "Σ_part w_part · −log σ(βΔ_part) + w_response · −log σ(βΔ)",
                "Hierarchical Preference Optimization",
            ),
            Method::Dpo2d => (
                "2d-dpo",
                "Σ_i −log σ(β_w q_i S_w(i) − β_l q_i S_l(i)) over segments paired by rank",
                "Li et al. 2024, eq. 6 and listing B.3",
            ),
            Method::Dpo1d => (
                "1d-dpo",
                "2d-dpo with the scores of helpfulness alone",
                "Li et al. 2024",
            ),
            Method::DpoBmc => (
                "dpo-bmc",
                "dpo with w_t = 1 + min(sg(1/π_θ(y_t)), δ) on varied tokens",
                "Jiang et al. 2024 (BMC), eq. 7 and 10",
            ),
            Method::IpoBmc => (
                "ipo-bmc",
                "ipo with BMC's weights",
                "Jiang et al. 2024, table 7",
            ),
            Method::SimPoBmc => (
                "simpo-bmc",
                "simpo with BMC's weights",
                "Jiang et al. 2024, table 7",
            ),
            Method::RdpoBmc => (
                "rdpo-bmc",
                "rdpo with BMC's weights",
                "Jiang et al. 2024, table 7",
            ),
            Method::OrpoBmc => (
                "orpo-bmc",
                "orpo with BMC's weights",
                "Jiang et al. 2024, table 7",
            ),
            Method::D2po => ("d2po", "dpo with w_t = γ^t", "Shao et al. 2025"),
            Method::LdDpo => (
                "ld-dpo",
                "dpo with w_t = 1 for t < min(n_w, n_l), else α",
                "Liu et al. 2024",
            ),
            Method::Exo => (
                "exo",
                "q (log q − log(1−ε)) + q̄ (log q̄ − log ε),  q = σ(βΔ)",
                "Ji et al. 2024",
            ),
            Method::Nca => (
                "nca",
                "−log σ(βS_w) − ½ log σ(−βS_w) − ½ log σ(−βS_l)",
                "Chen et al. 2024",
            ),
            Method::Sppo => (
                "sppo",
                "(S_w − 1/(2β))² + (S_l + 1/(2β))²",
                "Wu et al. 2024",
            ),
            Method::ApoZero => (
                "apo-zero",
                "1 − σ(βS_w) + σ(βS_l)",
                "D'Oosterlinck et al. 2024",
            ),
            Method::ApoDown => (
                "apo-down",
                "σ(βS_w) + 1 − σ(βΔ)",
                "D'Oosterlinck et al. 2024",
            ),
            Method::DiscoPop => (
                "discopop",
                "(1−k)(−log σ(βΔ)) + k e^{−βΔ},  k = σ(βΔ/τ)",
                "Lu et al. 2024",
            ),
            Method::Tdpo1 => (
                "tdpo1",
                "−log σ(β (D_w − D_l − (K_l − K_w)))",
                "Zeng et al. 2024",
            ),
            Method::Tdpo2 => (
                "tdpo2",
                "−log σ(β (D_w − D_l − α (K_l − sg(K_w))))",
                "Zeng et al. 2024",
            ),
            Method::Figa => (
                "figa",
                "−α Σ_{varied} p_t(y_w) + β Σ_{varied} p_t(y_l)",
                "Guo et al. 2024",
            ),
            Method::Kto => (
                "kto",
                "λ_D (1 − σ(β(R − z))) if desirable, else λ_U (1 − σ(β(z − R)))",
                "Ethayarajh et al. 2024",
            ),
            Method::Bvpo => (
                "bvpo",
                "α L_trace + (1−α) L_empty",
                "Bias-Variance Optimized Preference Optimization",
            ),
            Method::Sft => (
                "sft",
                "−Σ_i Σ p_t(y_i) / Σ_i n_i",
                "likelihood of the answers, averaged over all tokens",
            ),
            Method::Sum => (
                "sum",
                "Σ_i weight_i L_i",
                "several objectives on the same pairs, like TRL's loss_type and loss_weights",
            ),
            Method::BradleyTerry => (
                "bradley-terry",
                "−log σ(r_w − r_l) + c (r_w + r_l)²",
                "Ouyang et al. 2022, eq. 1; c: Eisenstein et al. 2023. For reward models",
            ),
            Method::Segments => (
                "segments",
                "Σ_a (ŝ_a − s_a)² / A,  for each scored segment",
                "Li et al. 2024 (2D-DPO). For reward models",
            ),
        };
        MethodInfo {
            name,
            equation,
            source,
        }
    }
}
