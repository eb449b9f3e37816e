//! The links of the methods. In: a method's checked settings. Out: a [`LinkConfig`], its
//! properties, and the link for a backend.

use burn::tensor::backend::Backend;

use crate::link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Link, Logistic, Nca,
    NoPreference, OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};

/// The links that a configuration can have.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "each variant is documented on the type that it holds"
)]
pub enum LinkConfig {
    Logistic(Logistic),
    RobustLogistic(RobustLogistic),
    Hinge(Hinge),
    Squared(Squared),
    SimPo(SimPo),
    LengthRegularized(LengthRegularized),
    OddsRatio(OddsRatio),
    Exo(Exo),
    Nca(Nca),
    Sppo(Sppo),
    ApoZero(ApoZero),
    ApoDown(ApoDown),
    DiscoPop(DiscoPop),
    Figa(Figa),
    NoPreference(NoPreference),
}

impl LinkConfig {
    /// Whether the loss depends only on the difference of the two sides. Then the link can compare
    /// the scores of any f-divergence.
    pub(super) fn compares_scores(self) -> bool {
        match self {
            LinkConfig::Logistic(_)
            | LinkConfig::RobustLogistic(_)
            | LinkConfig::Hinge(_)
            | LinkConfig::Squared(_)
            | LinkConfig::Exo(_)
            | LinkConfig::DiscoPop(_) => true,
            LinkConfig::SimPo(_)
            | LinkConfig::LengthRegularized(_)
            | LinkConfig::OddsRatio(_)
            | LinkConfig::Nca(_)
            | LinkConfig::Sppo(_)
            | LinkConfig::ApoZero(_)
            | LinkConfig::ApoDown(_)
            | LinkConfig::Figa(_)
            | LinkConfig::NoPreference(_) => false,
        }
    }

    /// Whether the loss uses the mean reward of a granule and not the sum. A granule without tokens
    /// has the mean 0, which as a mean log-prob would be probability 1.
    pub(super) fn uses_means(self) -> bool {
        match self {
            LinkConfig::SimPo(_) | LinkConfig::OddsRatio(_) => true,
            LinkConfig::Squared(link) => link.length_average,
            LinkConfig::Logistic(_)
            | LinkConfig::RobustLogistic(_)
            | LinkConfig::Hinge(_)
            | LinkConfig::LengthRegularized(_)
            | LinkConfig::Exo(_)
            | LinkConfig::Nca(_)
            | LinkConfig::Sppo(_)
            | LinkConfig::ApoZero(_)
            | LinkConfig::ApoDown(_)
            | LinkConfig::DiscoPop(_)
            | LinkConfig::Figa(_)
            | LinkConfig::NoPreference(_) => false,
        }
    }

    /// The link for a backend.
    pub(super) fn build<B: Backend>(self) -> Box<dyn Link<B>> {
        match self {
            LinkConfig::Logistic(link) => Box::new(link),
            LinkConfig::RobustLogistic(link) => Box::new(link),
            LinkConfig::Hinge(link) => Box::new(link),
            LinkConfig::Squared(link) => Box::new(link),
            LinkConfig::SimPo(link) => Box::new(link),
            LinkConfig::LengthRegularized(link) => Box::new(link),
            LinkConfig::OddsRatio(link) => Box::new(link),
            LinkConfig::Exo(link) => Box::new(link),
            LinkConfig::Nca(link) => Box::new(link),
            LinkConfig::Sppo(link) => Box::new(link),
            LinkConfig::ApoZero(link) => Box::new(link),
            LinkConfig::ApoDown(link) => Box::new(link),
            LinkConfig::DiscoPop(link) => Box::new(link),
            LinkConfig::Figa(link) => Box::new(link),
            LinkConfig::NoPreference(link) => Box::new(link),
        }
    }
}
