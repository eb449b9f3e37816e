//! Rotary position embeddings: their base, and how it is stretched.

use std::f64::consts::PI;

/// A layer's rotary embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Base `θ` of the wavelengths.
    pub theta: f64,
    /// How positions are stretched.
    pub scaling: RopeScaling,
}

/// How positions beyond those of pre-training are reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// They are not.
    None,
    /// All frequencies are divided by `factor`.
    Linear {
        /// `≥ 1`.
        factor: f64,
    },
    /// Llama 3.1: low frequencies are divided, high ones kept, those between blended.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` are low frequencies.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` are high frequencies.
        high_freq_factor: f64,
        /// Positions of pre-training.
        original: f64,
    },
    /// YaRN (Peng et al. 2023, section 3.2): channels that turn often within the original positions
    /// are kept, those that turn seldom divided, and the scores made larger.
    Yarn {
        /// Divisor of the low frequencies, `≥ 1`.
        factor: f64,
        /// Positions of pre-training.
        original: f64,
        /// Turns within `original` above which a channel is kept.
        beta_fast: f64,
        /// Turns within `original` below which it is divided.
        beta_slow: f64,
        /// What rotated queries and keys are multiplied by.
        attention_factor: f64,
        /// The range of channels between is widened to whole channels.
        truncates: bool,
    },
}

impl Rope {
    /// Angle a position of each pair of channels, radians, `head_dim / 2` of them.
    pub(crate) fn frequencies(&self, head_dim: usize) -> Vec<f64> {
        let plain = |i: usize| self.theta.powf(-2.0 * i as f64 / head_dim as f64);
        let channels = 0..head_dim / 2;
        match self.scaling {
            RopeScaling::None => channels.map(plain).collect(),
            RopeScaling::Linear { factor } => channels.map(|i| plain(i) / factor).collect(),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original,
            } => {
                let scaled = |frequency: f64| {
                    let wavelength = 2.0 * PI / frequency;
                    let span = high_freq_factor - low_freq_factor;
                    let kept = (original / wavelength - low_freq_factor) / span;
                    blend(frequency, factor, kept)
                };
                channels.map(plain).map(scaled).collect()
            }
            RopeScaling::Yarn {
                factor,
                original,
                beta_fast,
                beta_slow,
                truncates,
                attention_factor: _,
            } => {
                // the channel that makes so many turns within the original positions
                let channel = |turns: f64| {
                    let base = 2.0 * self.theta.ln();
                    head_dim as f64 * (original / (turns * 2.0 * PI)).ln() / base
                };
                let (low, high) = match (channel(beta_fast), channel(beta_slow), truncates) {
                    (low, high, true) => (low.floor(), high.ceil()),
                    (low, high, false) => (low, high),
                };
                let (low, high) = (low.max(0.0), high.min(head_dim as f64 - 1.0));
                let span = if low == high { 0.001 } else { high - low };
                let kept = |i: usize| 1.0 - (i as f64 - low) / span;
                channels.map(|i| blend(plain(i), factor, kept(i))).collect()
            }
        }
    }

    /// What `cos` and `sin` of the angles are multiplied by.
    pub(crate) fn amplitude(&self) -> f64 {
        match self.scaling {
            RopeScaling::Yarn {
                attention_factor, ..
            } => attention_factor,
            RopeScaling::None | RopeScaling::Linear { .. } | RopeScaling::Llama3 { .. } => 1.0,
        }
    }
}

/// A frequency that is kept to a part, from 0 to 1, and divided for the rest.
fn blend(frequency: f64, factor: f64, kept: f64) -> f64 {
    let kept = kept.clamp(0.0, 1.0);
    kept * frequency + (1.0 - kept) * frequency / factor
}
