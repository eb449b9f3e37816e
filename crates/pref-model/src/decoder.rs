//! The decoder: embeddings, layers, norm, head. In: token ids. Out: hidden states and logits.

use std::ops::Range;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend, module::embedding};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::attention::{Attention, KeysValues, Positions};
use crate::config::{Config, LayerKind};
use crate::layers::{Embedding, Linear, Mlp, Norm};
use crate::load::{self, LoadError};
use crate::random::normal;

/// A decoder-only language model.
#[derive(Module, Debug)]
pub struct Decoder<B: Backend> {
    model: Stack<B>,
    lm_head: Option<Linear<B>>,
    #[module(skip)]
    config: Config,
}

#[derive(Module, Debug)]
struct Stack<B: Backend> {
    embed_tokens: Embedding<B>,
    layers: Vec<Layer<B>>,
    norm: Norm<B>,
}

#[derive(Module, Debug)]
struct Layer<B: Backend> {
    input_layernorm: Norm<B>,
    self_attn: Attention<B>,
    /// Before the MLP; after the attention in Gemma.
    post_attention_layernorm: Norm<B>,
    /// Gemma only, as is the next.
    pre_feedforward_layernorm: Option<Norm<B>>,
    post_feedforward_layernorm: Option<Norm<B>>,
    mlp: Mlp<B>,
}

/// Keys and values of every layer, and how many tokens they are of.
#[derive(Clone, Debug)]
pub(crate) struct Cache<B: Backend> {
    layers: Vec<Option<KeysValues<B>>>,
    tokens: usize,
}

impl<B: Backend> Cache<B> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            layers: vec![None; config.layers.len()],
            tokens: 0,
        }
    }
}

impl<B: Backend> Decoder<B> {
    /// A decoder of random weights: normal with `initializer_range`, norms 1 (Gemma 0), biases 0.
    /// The same for a seed on every backend.
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

    /// Reads a model's folder in Hugging Face's layout.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the tensor.
    pub fn load(folder: &Path, device: &B::Device) -> Result<Self, LoadError> {
        Self::load_ignoring(folder, &[], device)
    }

    /// The same, passing over settings of `config.json` as
    /// [`Config::from_folder_ignoring`] does.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_ignoring(
        folder: &Path,
        ignored: &[String],
        device: &B::Device,
    ) -> Result<Self, LoadError> {
        load::load(folder, ignored, device)
    }

    /// The settings that loading passed over; a copy that is saved has them still.
    pub fn ignored(&self) -> &[String] {
        &self.config.ignored
    }

    /// The decoder as one that comes from the same stored model as `other`: saved as
    /// [`SaveDtype::Source`](crate::SaveDtype::Source), it gets that model's number format. A
    /// checkpoint is written in f32 whatever the model was, and is given the model's format back
    /// by this.
    pub fn with_source_of(mut self, other: &Self) -> Self {
        self.config.stored = other.config.stored;
        self
    }

    /// The architecture and its sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Hidden states after the last norm, `[rows, tokens, hidden]`, of `[rows, tokens]` ids.
    ///
    /// Rows are padded on the right: a token sees only those before it, so padding changes nothing
    /// of the tokens in front.
    ///
    /// # Panics
    /// If there are no tokens.
    pub fn hidden(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 3> {
        self.forward(tokens, &[], None)
    }

    /// The same of rows that hold two continuations of one beginning: `branches[row]` are the
    /// tokens of the first. Those behind do not see them, and stand where they stand: the beginning
    /// is computed once, and both continuations are as they would be behind it alone. With no
    /// branches at all, rows are texts as in [`hidden`](Self::hidden).
    ///
    /// # Panics
    /// If there are no tokens, or neither no branch nor one a row.
    pub fn hidden_branched(
        &self,
        tokens: Tensor<B, 2, Int>,
        branches: &[Range<usize>],
    ) -> Tensor<B, 3> {
        self.forward(tokens, branches, None)
    }

    /// The same for tokens after those in the cache, which are added to it.
    pub(crate) fn forward(
        &self,
        tokens: Tensor<B, 2, Int>,
        branches: &[Range<usize>],
        mut cache: Option<&mut Cache<B>>,
    ) -> Tensor<B, 3> {
        let [rows, n_tokens] = tokens.dims();
        assert!(
            branches.is_empty() || branches.len() == rows,
            "{} branches of {rows} rows; one a row, or none",
            branches.len()
        );
        assert!(rows > 0 && n_tokens > 0, "tokens are [{rows}, {n_tokens}]");
        let config = &self.config;
        let before = cache.as_ref().map_or(0, |cache| cache.tokens);
        let positions = match branches {
            [] => Positions::new(config, rows, n_tokens, before, &tokens.device()),
            branches => Positions::branched(config, branches, n_tokens, &tokens.device()),
        };

        let mut x = embedding(self.model.embed_tokens.weight.val(), tokens)
            .reshape([rows * n_tokens, config.hidden_size]);
        if config.architecture.is_gemma() {
            x = x * (config.hidden_size as f64).sqrt();
        }
        for (i, (layer, kind)) in self.model.layers.iter().zip(&config.layers).enumerate() {
            let slot = cache.as_deref_mut().map(|cache| &mut cache.layers[i]);
            x = layer.forward(x, config, kind, &positions, slot);
        }
        if let Some(cache) = cache {
            cache.tokens += n_tokens;
        }
        let x = self.model.norm.forward(x, config);
        x.reshape([rows, n_tokens, config.hidden_size])
    }

    /// Logits of hidden states, `[n, vocab]` of `[n, hidden]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let logits = match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => hidden.matmul(self.model.embed_tokens.weight.val().transpose()),
        };
        match self.config.logit_softcap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        }
    }

    /// A decoder whose every tensor comes from `values(name, shape)`.
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
        })
    }
}

impl<B: Backend> Layer<B> {
    fn forward(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        kind: &LayerKind,
        positions: &Positions<B>,
        cache: Option<&mut Option<KeysValues<B>>>,
    ) -> Tensor<B, 2> {
        let normed = self.input_layernorm.forward(x.clone(), config);
        let attended = self
            .self_attn
            .forward(normed, config, kind, positions, cache);
        match (
            &self.pre_feedforward_layernorm,
            &self.post_feedforward_layernorm,
        ) {
            (Some(before), Some(after)) => {
                let x = x + self.post_attention_layernorm.forward(attended, config);
                let y = self.mlp.forward(before.forward(x.clone(), config), config);
                x + after.forward(y, config)
            }
            _ => {
                let x = x + attended;
                let normed = self.post_attention_layernorm.forward(x.clone(), config);
                x + self.mlp.forward(normed, config)
            }
        }
    }
}

/// Where tensors come from while a decoder is built.
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
        Ok(Linear { weight, bias })
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
