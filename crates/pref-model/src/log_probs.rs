//! Log-probs of tokens: the one place where the shift by one lives.
//! In: token ids and which of them are the response. Out: one log-prob a response token.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::decoder::Decoder;

/// The response tokens of a batch, one response after the other: where their predictors are, and
/// where their values go.
#[derive(Debug)]
pub struct ResponseTokens<B: Backend> {
    tokens: Tensor<B, 2, Int>,
    branches: Vec<Range<usize>>,
    /// Flat positions of the tokens that predict a response token.
    predictors: Vec<i32>,
    /// Flat positions of the response tokens.
    targets: Vec<i32>,
    lengths: Vec<usize>,
}

/// A response within a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its row.
    pub row: usize,
    /// Its tokens in the row.
    pub tokens: Range<usize>,
    /// The token before it, which predicts its first one: the prompt's last.
    pub after: usize,
}

impl<B: Backend> ResponseTokens<B> {
    /// The tokens `tokens[row][responses[row]]`.
    ///
    /// # Shapes
    /// `tokens` is `[rows, tokens]`, padded on the right with any id.
    ///
    /// # Panics
    /// If there is not one range a row, or a range leaves its row, or holds its first token, which
    /// nothing predicts.
    pub fn new(tokens: Tensor<B, 2, Int>, responses: &[Range<usize>]) -> Self {
        let [rows, width] = tokens.dims();
        assert_eq!(responses.len(), rows, "one response range a row");
        let responses = responses.iter().enumerate().map(|(row, response)| {
            assert!(
                response.start >= 1 && response.end <= width,
                "a response is within 1..{width}, found {response:?}"
            );
            Response {
                row,
                tokens: response.clone(),
                after: response.start - 1,
            }
        });
        Self::branched(tokens, &responses.collect::<Vec<_>>(), Vec::new())
    }

    /// Responses anywhere in the rows, of which some may share their prompt: see
    /// [`Decoder::hidden_branched`]. With no branch each row is one text.
    ///
    /// # Shapes
    /// `tokens` is `[rows, tokens]`, padded on the right with any id; no branch or one a row.
    ///
    /// # Panics
    /// If a response leaves its row.
    pub fn branched(
        tokens: Tensor<B, 2, Int>,
        responses: &[Response],
        branches: Vec<Range<usize>>,
    ) -> Self {
        let [rows, width] = tokens.dims();
        let mut predictors = Vec::new();
        let mut targets = Vec::new();
        for response in responses {
            let Response { row, tokens, after } = response;
            assert!(
                *row < rows && tokens.end <= width && *after < width,
                "{response:?} is not within {rows} rows of {width} tokens"
            );
            let flat = |t: usize| (row * width + t) as i32;
            for t in tokens.clone() {
                predictors.push(flat(if t == tokens.start { *after } else { t - 1 }));
                targets.push(flat(t));
            }
        }
        Self {
            tokens,
            branches,
            predictors,
            targets,
            lengths: responses
                .iter()
                .map(|response| response.tokens.len())
                .collect(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.predictors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.predictors.is_empty()
    }

    /// Tokens of each response.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Hidden states that predict them, `[n, hidden]`.
    pub fn hidden(&self, model: &Decoder<B>) -> Tensor<B, 2> {
        let [rows, width] = self.tokens.dims();
        let hidden = model.hidden_branched(self.tokens.clone(), &self.branches);
        hidden
            .reshape([rows * width, model.config().hidden_size])
            .select(0, self.ints(self.predictors.clone()))
    }

    /// Their ids, `[n]`.
    pub fn targets(&self) -> Tensor<B, 1, Int> {
        let [rows, width] = self.tokens.dims();
        self.tokens
            .clone()
            .reshape([rows * width])
            .select(0, self.ints(self.targets.clone()))
    }

    /// One value each, `[n]`, back in rows, `[responses, longest response]`, 0 past each one's end.
    pub fn to_rows(&self, values: Tensor<B, 1>) -> Tensor<B, 2> {
        // the padding points at a zero behind the last value
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        let n = self.len() as i32;
        let mut next = 0;
        let mut places = Vec::with_capacity(self.lengths.len() * longest);
        for &length in &self.lengths {
            places.extend(next..next + length as i32);
            places.extend(std::iter::repeat_n(n, longest - length));
            next += length as i32;
        }
        let zero = Tensor::zeros([1], &values.device());
        Tensor::cat(vec![values, zero], 0)
            .select(0, self.ints(places))
            .reshape([self.lengths.len(), longest])
    }

    /// Their log-probs, nats, `[responses, longest response]`, 0 past each one's end. Only the
    /// positions that predict a response token are projected to the vocabulary.
    pub fn log_probs(&self, model: &Decoder<B>) -> Tensor<B, 2> {
        let logits = model.logits(self.hidden(model)); // [n, vocab]
        self.to_rows(token_log_probs(logits, self.targets()))
    }

    fn ints(&self, values: Vec<i32>) -> Tensor<B, 1, Int> {
        let n = values.len();
        Tensor::from_data(TensorData::new(values, [n]), &self.tokens.device())
    }
}

/// `log p(tokens[row][t] | tokens[row][..t])` for `t` in `responses[row]`, nats,
/// `[rows, longest response]`, 0 past each row's end.
///
/// Only the positions that predict a response token are projected to the vocabulary.
///
/// # Shapes
/// `tokens` is `[rows, tokens]`, padded on the right with any id.
///
/// # Panics
/// As [`ResponseTokens::new`].
pub fn response_log_probs<B: Backend>(
    model: &Decoder<B>,
    tokens: Tensor<B, 2, Int>,
    responses: &[Range<usize>],
) -> Tensor<B, 2> {
    ResponseTokens::new(tokens, responses).log_probs(model)
}

/// `log softmax(logits)[target]` of each row, nats, `[n]`, of `[n, vocab]` and `[n]`.
///
/// The gradient `onehot − softmax` is written down: left to autodiff it takes more passes over
/// `[n, vocab]`, and goes through a reciprocal that ndarray approximates.
pub fn token_log_probs<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let [n, _] = logits.dims();
    let at = logits.clone().detach();
    let shifted = at.clone() - at.clone().max_dim(1);
    let exps = shifted.exp();
    let sums = exps.clone().sum_dim(1);
    let log_sums = sums.clone().log() + at.clone().max_dim(1);
    let softmax = exps / sums;

    let picked = logits.clone().gather(1, targets.reshape([n, 1]));
    let rest = (softmax * (logits - at)).sum_dim(1) + log_sums;
    (picked - rest).reshape([n])
}
