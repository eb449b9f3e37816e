//! Rotary position embeddings: the frequencies of their angles, and how these are scaled for long
//! sequences. In: a layer's settings. Out: one frequency per pair of channels.

use std::f64::consts::PI;

/// A layer's rotary embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Base `θ` of the wavelengths.
    pub theta: f64,
    /// How the frequencies are scaled.
    pub scaling: RopeScaling,
}

/// How frequencies are scaled, so that the model can use positions beyond those of pre-training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// No scaling.
    None,
    /// All frequencies are divided by `factor`.
    Linear {
        /// Divisor, `≥ 1`.
        factor: f64,
    },
    /// Llama 3.1: low frequencies are divided by `factor`, high frequencies are kept, and the frequencies
    /// between low and high are a mixture of both.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` are low frequencies.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` are high frequencies.
        high_freq_factor: f64,
        /// Number of positions of pre-training.
        original: f64,
    },
    /// YaRN (Peng et al. 2023, section 3.2): the frequencies of channels that turn often within the
    /// original positions are kept, the frequencies of channels that turn rarely are divided by `factor`,
    /// and queries and keys are multiplied by `attention_factor`.
    Yarn {
        /// Divisor of the low frequencies, `≥ 1`.
        factor: f64,
        /// Number of positions of pre-training.
        original: f64,
        /// Turns within `original` above which a channel is kept.
        beta_fast: f64,
        /// Turns within `original` below which a channel is divided by `factor`.
        beta_slow: f64,
        /// Factor of the rotated queries and keys.
        attention_factor: f64,
        /// Whether the first and the last channel between `beta_fast` and `beta_slow` are rounded outwards
        /// to whole numbers.
        truncates: bool,
    },
}

impl Rope {
    /// Angle per position of each pair of channels, radians, `[head_dim / 2]`.
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
                // the channel that makes this many turns within the original positions
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

    /// Factor of the cosines and sines of the angles.
    pub(crate) fn amplitude(&self) -> f64 {
        match self.scaling {
            RopeScaling::Yarn {
                attention_factor, ..
            } => attention_factor,
            RopeScaling::None | RopeScaling::Linear { .. } | RopeScaling::Llama3 { .. } => 1.0,
        }
    }
}

/// `kept · frequency + (1 − kept) · frequency / factor`, with `kept` limited to 0 to 1.
fn blend(frequency: f64, factor: f64, kept: f64) -> f64 {
    let kept = kept.clamp(0.0, 1.0);
    kept * frequency + (1.0 - kept) * frequency / factor
}
