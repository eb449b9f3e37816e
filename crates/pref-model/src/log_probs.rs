//! Log-probs of response tokens: the only place that shifts tokens by one. In: token ids, and which of
//! them are the response. Out: one log-prob per response token.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::policy::Policy;

/// The response tokens of a batch, one response after the other, with the position of the token that
/// predicts each of them.
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

/// The place of a response in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The row that holds the response.
    pub row: usize,
    /// The tokens of the response in the row.
    pub tokens: Range<usize>,
    /// Position of the token that predicts the first response token: the last token of the prompt.
    pub predictor: usize,
}

impl<B: Backend> ResponseTokens<B> {
    /// One response per row: the tokens `tokens[row][responses[row]]`.
    ///
    /// # Shapes
    /// `tokens` is `[rows, tokens]`, padded on the right with any id.
    ///
    /// # Panics
    /// If the number of ranges is not the number of rows, or a range exceeds its row or includes the
    /// first token of the row, which no token predicts.
    pub fn new(tokens: Tensor<B, 2, Int>, responses: &[Range<usize>]) -> Self {
        let [rows, width] = tokens.dims();
        assert_eq!(responses.len(), rows, "one response range per row");
        let responses = responses.iter().enumerate().map(|(row, response)| {
            assert!(
                response.start >= 1 && response.end <= width,
                "a response must be within 1..{width}, found {response:?}"
            );
            Response {
                row,
                tokens: response.clone(),
                predictor: response.start - 1,
            }
        });
        Self::branched(tokens, &responses.collect::<Vec<_>>(), Vec::new())
    }

    /// Responses at any place in the rows. If `branches` is not empty, each row holds two answers to one
    /// prompt, as [`Policy::hidden`] explains. Otherwise each row is one text.
    ///
    /// # Shapes
    /// `tokens` is `[rows, tokens]`, padded on the right with any id; `branches` has one entry per
    /// row, or none.
    ///
    /// # Panics
    /// If a response exceeds its row.
    pub fn branched(
        tokens: Tensor<B, 2, Int>,
        responses: &[Response],
        branches: Vec<Range<usize>>,
    ) -> Self {
        let [rows, width] = tokens.dims();
        let mut predictors = Vec::new();
        let mut targets = Vec::new();
        for response in responses {
            let Response {
                row,
                tokens,
                predictor,
            } = response;
            assert!(
                *row < rows && tokens.end <= width && *predictor < width,
                "{response:?} is not within {rows} rows of {width} tokens"
            );
            let flat = |t: usize| (row * width + t) as i32;
            for t in tokens.clone() {
                predictors.push(flat(if t == tokens.start { *predictor } else { t - 1 }));
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

    /// Number of response tokens in the batch.
    pub fn len(&self) -> usize {
        self.predictors.len()
    }

    /// Whether the batch has no response token.
    pub fn is_empty(&self) -> bool {
        self.predictors.is_empty()
    }

    /// Number of tokens of each response.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Hidden states of the tokens that predict a response token, `[n, hidden]`.
    pub fn hidden(&self, model: &impl Policy<B>) -> Tensor<B, 2> {
        self.predictors_of(model.hidden(self.tokens.clone(), &self.branches))
    }

    /// The hidden states of the tokens that predict a response token, `[n, hidden]`, of those of all tokens,
    /// `[rows, tokens, hidden]`.
    pub fn predictors_of(&self, hidden: Tensor<B, 3>) -> Tensor<B, 2> {
        let [rows, width, size] = hidden.dims();
        hidden
            .reshape([rows * width, size])
            .select(0, self.ints(self.predictors.clone()))
    }

    /// Ids of the response tokens, `[n]`.
    pub fn targets(&self) -> Tensor<B, 1, Int> {
        let [rows, width] = self.tokens.dims();
        self.tokens
            .clone()
            .reshape([rows * width])
            .select(0, self.ints(self.targets.clone()))
    }

    /// Arranges one value per response token, `[n]`, in rows, `[responses, longest response]`, with 0
    /// after the end of each response.
    pub fn to_rows(&self, values: Tensor<B, 1>) -> Tensor<B, 2> {
        // Padding takes its value from a zero after the last value.
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

    /// Log-probs of the response tokens, nats, `[responses, longest response]`, with 0 after the end of
    /// each response. Logits are computed only at positions that predict a response token.
    pub fn log_probs(&self, model: &impl Policy<B>) -> Tensor<B, 2> {
        self.to_rows(model.log_probs(self.hidden(model), self.targets()))
    }

    fn ints(&self, values: Vec<i32>) -> Tensor<B, 1, Int> {
        let n = values.len();
        Tensor::from_data(TensorData::new(values, [n]), &self.tokens.device())
    }
}

/// `log p(tokens[row][t] | tokens[row][..t])` for `t` in `responses[row]`, nats,
/// `[rows, longest response]`, with 0 after the end of each response.
///
/// Logits are computed only at positions that predict a response token.
///
/// # Shapes
/// `tokens` is `[rows, tokens]`, padded on the right with any id.
///
/// # Panics
/// The panics of [`ResponseTokens::new`].
pub fn response_log_probs<B: Backend>(
    model: &impl Policy<B>,
    tokens: Tensor<B, 2, Int>,
    responses: &[Range<usize>],
) -> Tensor<B, 2> {
    ResponseTokens::new(tokens, responses).log_probs(model)
}
