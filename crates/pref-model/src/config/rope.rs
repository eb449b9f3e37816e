//! Rotary position embeddings: their base, and how it is stretched.

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
}

impl Rope {
    /// Angle a position of each pair of channels, radians, `head_dim / 2` of them.
    pub(crate) fn frequencies(&self, head_dim: usize) -> Vec<f64> {
        let plain = (0..head_dim / 2).map(|i| {
            let exponent = 2.0 * i as f64 / head_dim as f64;
            self.theta.powf(-exponent)
        });
        plain
            .map(|frequency| self.scaling.apply(frequency))
            .collect()
    }
}

impl RopeScaling {
    fn apply(self, frequency: f64) -> f64 {
        match self {
            RopeScaling::None => frequency,
            RopeScaling::Linear { factor } => frequency / factor,
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original,
            } => {
                let wavelength = 2.0 * std::f64::consts::PI / frequency;
                if wavelength < original / high_freq_factor {
                    frequency
                } else if wavelength > original / low_freq_factor {
                    frequency / factor
                } else {
                    let smooth = (original / wavelength - low_freq_factor)
                        / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }
}
