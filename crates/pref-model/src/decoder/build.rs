//! A decoder from named values. In: a configuration, and the values of each tensor by name. Out: the
//! decoder.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::attention::Attention;
use super::layers::{Embedding, Linear, Mlp, Norm};
use super::model::{Decoder, Layer, Stack};
use crate::config::Config;
use crate::precision::Precision;
use crate::random::normal;

impl<B: Backend> Decoder<B> {
    /// A decoder with random weights. Matrices are normal with mean 0 and a standard deviation of
    /// `initializer_range`, norm weights are 1 (in Gemma 0), and biases are 0. A seed gives the same
    /// weights on every backend.
    pub fn init(config: &Config, seed: u64, device: &B::Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let norm = if config.architecture.is_gemma() {
            0.0
        } else {
            1.0
        };
        let built: Result<Self, std::convert::Infallible> =
            Self::build(config, device, |name, shape| {
                let n = shape.iter().product();
                Ok(if name.ends_with("norm.weight") {
                    vec![norm; n]
                } else if name.ends_with("bias") {
                    vec![0.0; n]
                } else {
                    normal(&mut rng, config.initializer_range, n)
                })
            });
        match built {
            Ok(decoder) => decoder,
        }
    }

    /// A decoder whose tensors are `values(name, shape)`.
    pub(crate) fn build<E>(
        config: &Config,
        device: &B::Device,
        values: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut source = Source {
            values,
            config,
            device,
        };
        let (hidden, vocab) = (config.hidden_size, config.vocab_size);
        Ok(Self {
            model: Stack {
                embed_tokens: Embedding {
                    weight: source.tensor("model.embed_tokens.weight", [vocab, hidden])?,
                },
                layers: (0..config.layers.len())
                    .map(|i| source.layer(&format!("model.layers.{i}")))
                    .collect::<Result<_, _>>()?,
                norm: source.norm("model.norm", hidden)?,
            },
            lm_head: match config.has_tied_head {
                true => None,
                false => Some(source.linear("lm_head", hidden, vocab, false)?),
            },
            config: config.clone(),
            lora: None,
            precision: Precision::default(),
        })
    }
}

/// The source of the tensors of a decoder that is being built.
struct Source<'a, B: Backend, F> {
    values: F,
    config: &'a Config,
    device: &'a B::Device,
}

impl<B: Backend, E, F> Source<'_, B, F>
where
    F: FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
{
    fn tensor<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Param<Tensor<B, D>>, E> {
        let values = (self.values)(name, &shape)?;
        let data = TensorData::new(values, shape);
        Ok(Param::from_tensor(Tensor::from_data(data, self.device)))
    }

    fn norm(&mut self, name: &str, size: usize) -> Result<Norm<B>, E> {
        let weight = self.tensor(&format!("{name}.weight"), [size])?;
        Ok(Norm { weight })
    }

    fn linear(
        &mut self,
        name: &str,
        n_in: usize,
        n_out: usize,
        has_bias: bool,
    ) -> Result<Linear<B>, E> {
        let weight = self.tensor(&format!("{name}.weight"), [n_out, n_in])?;
        let bias = match has_bias {
            true => Some(self.tensor(&format!("{name}.bias"), [n_out])?),
            false => None,
        };
        Ok(Linear {
            weight,
            bias,
            lora: None,
        })
    }

    fn layer(&mut self, name: &str) -> Result<Layer<B>, E> {
        let config = self.config;
        let (hidden, head_dim) = (config.hidden_size, config.head_dim);
        let (q, kv) = (config.n_heads * head_dim, config.n_kv_heads * head_dim);
        let (qkv_bias, o_bias) = (config.has_qkv_bias, config.has_output_bias);
        let (inner, mlp_bias) = (config.intermediate_size, config.has_mlp_bias);
        let at = |part: &str| format!("{name}.{part}");
        let is_gemma = config.architecture.is_gemma();
        let has_qk_norm = config.architecture.has_query_key_norm();
        Ok(Layer {
            input_layernorm: self.norm(&at("input_layernorm"), hidden)?,
            self_attn: Attention {
                q_proj: self.linear(&at("self_attn.q_proj"), hidden, q, qkv_bias)?,
                k_proj: self.linear(&at("self_attn.k_proj"), hidden, kv, qkv_bias)?,
                v_proj: self.linear(&at("self_attn.v_proj"), hidden, kv, qkv_bias)?,
                o_proj: self.linear(&at("self_attn.o_proj"), q, hidden, o_bias)?,
                q_norm: self.norm_if(has_qk_norm, &at("self_attn.q_norm"), head_dim)?,
                k_norm: self.norm_if(has_qk_norm, &at("self_attn.k_norm"), head_dim)?,
            },
            post_attention_layernorm: self.norm(&at("post_attention_layernorm"), hidden)?,
            pre_feedforward_layernorm: self.norm_if(
                is_gemma,
                &at("pre_feedforward_layernorm"),
                hidden,
            )?,
            post_feedforward_layernorm: self.norm_if(
                is_gemma,
                &at("post_feedforward_layernorm"),
                hidden,
            )?,
            mlp: Mlp {
                gate_proj: self.linear(&at("mlp.gate_proj"), hidden, inner, mlp_bias)?,
                up_proj: self.linear(&at("mlp.up_proj"), hidden, inner, mlp_bias)?,
                down_proj: self.linear(&at("mlp.down_proj"), inner, hidden, mlp_bias)?,
            },
        })
    }

    fn norm_if(&mut self, is_there: bool, name: &str, size: usize) -> Result<Option<Norm<B>>, E> {
        match is_there {
            true => self.norm(name, size).map(Some),
            false => Ok(None),
        }
    }
}
