//! The low-rank update of one linear layer. In: the input of the layer, and its product with the frozen weight.
//! Out: the product with the updated weight, which is never in memory itself.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::dropout::{Noise, TrainingPass};
use crate::kernels::{Kernels, in_format, wide};
use crate::random::{stream, uniform};

/// Added below the root of a norm, so that a row of zeros has a finite inverse.
const SMALLEST_SQUARE: f64 = 1e-30;

/// `x Wᵀ + s (x Aᵀ) Bᵀ` (Hu et al. 2021, eq. 3), with `W` frozen. With a magnitude `m`, every row of
/// `W + s B A` is scaled to the length `m` (DoRA, Liu et al. 2024, eq. 5).
#[derive(Module, Debug)]
pub(crate) struct Adapter<B: Backend> {
    /// `A`, `[rank, in]`.
    pub(crate) a: Param<Tensor<B, 2>>,
    /// `B`, `[out, rank]`.
    pub(crate) b: Param<Tensor<B, 2>>,
    /// `m`, `[out]`, in DoRA.
    pub(crate) magnitude: Option<Param<Tensor<B, 1>>>,
    /// `‖W‖²` of every row, `[out]`, in DoRA. It is not trained.
    squares: Option<Tensor<B, 1>>,
    /// `s`.
    #[module(skip)]
    scale: f64,
    /// The probability with which a value of the input is dropped in training.
    #[module(skip)]
    dropout: f64,
    /// The random numbers of the dropout. None outside of training.
    #[module(skip)]
    noise: Option<Noise>,
}

/// The sizes and factors of an adapter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdapterShape {
    /// Number of columns of `B`.
    pub(crate) rank: usize,
    /// `s`, the factor of the update.
    pub(crate) scale: f64,
    /// The probability with which a value of the input is dropped in training.
    pub(crate) dropout: f64,
    /// Whether the adapter has a magnitude.
    pub(crate) dora: bool,
}

impl<B: Backend> Adapter<B> {
    /// A new adapter of the layer `name` with the frozen weight `[out, in]`, with the values that PEFT draws: `A`
    /// is uniform between `±1/√in` (He et al. 2015, with a slope of √5), and `B` is 0.
    pub(crate) fn new(shape: AdapterShape, seed: u64, name: &str, weight: &Tensor<B, 2>) -> Self {
        let [n_out, n_in] = weight.dims();
        let device = weight.device();
        let mut rng = ChaCha8Rng::from_seed(stream(seed, [0, 0], name));
        let a = uniform(&mut rng, (n_in as f64).powf(-0.5), shape.rank * n_in);
        let a = TensorData::new(a, [shape.rank, n_in]);
        let squares = shape.dora.then(|| {
            let weight = weight.clone().set_require_grad(false);
            weight.square().sum_dim(1).reshape([n_out])
        });
        Self {
            a: Param::from_tensor(Tensor::from_data(a, &device)),
            b: Param::from_tensor(Tensor::zeros([n_out, shape.rank], &device)),
            magnitude: squares
                .as_ref()
                .map(|squares| Param::from_tensor(squares.clone().sqrt())),
            squares,
            scale: shape.scale,
            dropout: shape.dropout,
            noise: None,
        }
    }

    /// The adapter with other values of the same shapes, on its device.
    pub(crate) fn with_values(
        self,
        a: TensorData,
        b: TensorData,
        magnitude: Option<TensorData>,
    ) -> Self {
        let device = self.a.device();
        Self {
            a: Param::from_tensor(Tensor::from_data(a, &device)),
            b: Param::from_tensor(Tensor::from_data(b, &device)),
            magnitude: magnitude.map(|m| Param::from_tensor(Tensor::from_data(m, &device))),
            ..self
        }
    }

    /// Switches the dropout on for one forward pass; `name` is the name of the layer.
    pub(crate) fn set_pass(&mut self, pass: TrainingPass, name: &str) {
        self.noise = (self.dropout > 0.0).then(|| Noise::of(pass, name));
    }

    /// The product with the updated weight.
    ///
    /// # Shapes
    /// `x` is `[n, in]`, `frozen` is the weight `[out, in]`, and `y` is their product `[n, out]`, without bias.
    pub(crate) fn apply(
        &self,
        x: Tensor<B, 2>,
        y: Tensor<B, 2>,
        frozen: &Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let format = y.dtype();
        // The gain is applied in float32, so that the gradient of the magnitude is a sum in float32.
        let gain = self.gain(frozen);
        let Some(noise) = self.noise else {
            let sum = y + self.low_rank(x, self.scale);
            return match gain {
                Some(gain) => in_format(wide(sum) * gain, format),
                None => sum,
            };
        };
        let dropped = noise.dropped(self.dropout, x.dims(), &x.device());
        let kept = x.mask_fill(dropped, 0.0);
        let rescale = 1.0 / (1.0 - self.dropout);
        let update = self.low_rank(kept.clone(), self.scale * rescale);
        match gain {
            // As in PEFT, DoRA's change of the length also acts on the input with dropout.
            Some(gain) => {
                let product =
                    (kept * rescale).matmul(in_format(frozen.clone(), format).transpose());
                let sum = wide(y) + wide(product) * (gain.clone() - 1.0) + wide(update) * gain;
                in_format(sum, format)
            }
            None => y + update,
        }
    }

    /// The updated weight, `[out, in]`, of the frozen weight.
    pub(crate) fn merged(&self, frozen: Tensor<B, 2>) -> Tensor<B, 2> {
        let gain = self.gain(&frozen);
        let sum = frozen + self.b.val().matmul(self.a.val()) * self.scale;
        match gain {
            Some(gain) => sum * gain.swap_dims(0, 1),
            None => sum,
        }
    }

    /// `(x Aᵀ · scale) Bᵀ`, `[n, out]`.
    fn low_rank(&self, x: Tensor<B, 2>, scale: f64) -> Tensor<B, 2> {
        let format = x.dtype();
        let [a, b] = [&self.a, &self.b].map(|matrix| in_format(matrix.val(), format));
        let inner = x.matmul(a.transpose()) * scale;
        inner.matmul(b.transpose())
    }

    /// DoRA's factor of every output, `m / ‖W + s B A‖`, `[1, out]`. As in section 4.3 of the paper, no gradient
    /// flows through the norm.
    ///
    /// The square of the norm is `‖W‖² + 2s Σ (W Aᵀ)∘B + s² Σ (B A Aᵀ)∘B` for each row, which needs no matrix
    /// of the size of `W`.
    fn gain(&self, frozen: &Tensor<B, 2>) -> Option<Tensor<B, 2>> {
        let (magnitude, squares) = (self.magnitude.as_ref()?, self.squares.clone()?);
        let constant = |parameter: &Param<Tensor<B, 2>>| parameter.val().set_require_grad(false);
        let (a, b) = (constant(&self.a), constant(&self.b));
        let across = frozen.clone().matmul(a.clone().transpose()); // [out, rank]
        let own = b.clone().matmul(a.clone().matmul(a.transpose())); // [out, rank]
        let cross = across * (2.0 * self.scale) + own * (self.scale * self.scale);
        let [n_out, _] = b.dims();
        let squares = squares + (cross * b).sum_dim(1).reshape([n_out]);
        let inverse = squares.clamp_min(SMALLEST_SQUARE).powf_scalar(-0.5);
        Some((magnitude.val() * inverse).unsqueeze())
    }
}

impl<B: Kernels> Adapter<B> {
    /// [`apply`](Self::apply) outside of training, where no row depends on the others.
    pub(crate) fn apply_to_rows(
        &self,
        x: Tensor<B, 2>,
        y: Tensor<B, 2>,
        frozen: &Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let format = y.dtype();
        let inner = B::project_rows(x, self.a.val()) * self.scale;
        let sum = y + B::project_rows(inner, self.b.val());
        match self.gain(frozen) {
            Some(gain) => in_format(wide(sum) * gain, format),
            None => sum,
        }
    }
}
