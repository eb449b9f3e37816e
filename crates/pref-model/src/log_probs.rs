//! Log-probs of tokens: the one place where the shift by one lives.
//! In: token ids and which of them are the response. Out: one log-prob a response token.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::decoder::Decoder;

/// `log p(tokens[row][t] | tokens[row][..t])` for `t` in `responses[row]`, nats,
/// `[rows, longest response]`, 0 past each row's end.
///
/// Only the positions that predict a response token are projected to the vocabulary.
///
/// # Shapes
/// `tokens` is `[rows, tokens]`, padded on the right with any id.
///
/// # Panics
/// If there is not one range a row, or a range leaves its row, or holds its first token, which
/// nothing predicts.
pub fn response_log_probs<B: Backend>(
    model: &Decoder<B>,
    tokens: Tensor<B, 2, Int>,
    responses: &[Range<usize>],
) -> Tensor<B, 2> {
    let [rows, width] = tokens.dims();
    assert_eq!(responses.len(), rows, "one response range a row");
    for response in responses {
        assert!(
            response.start >= 1 && response.end <= width,
            "a response is within 1..{width}, found {response:?}"
        );
    }
    let device = tokens.device();
    let ints = |values: Vec<i32>| {
        let n = values.len();
        Tensor::<B, 1, Int>::from_data(TensorData::new(values, [n]), &device)
    };
    // flat positions of the response tokens, row by row
    let targets: Vec<i32> = responses
        .iter()
        .enumerate()
        .flat_map(|(row, response)| response.clone().map(move |t| (row * width + t) as i32))
        .collect();
    let predictors = targets.iter().map(|t| t - 1).collect();

    let hidden_size = model.config().hidden_size;
    let hidden = model.hidden(tokens.clone());
    let hidden = hidden
        .reshape([rows * width, hidden_size])
        .select(0, ints(predictors));
    let logits = model.logits(hidden); // [n, vocab]
    let targets = tokens.reshape([rows * width]).select(0, ints(targets));
    let log_probs = pick(logits, targets);

    // back to rows: the padding points at a zero behind the last value
    let longest = responses.iter().map(Range::len).max().unwrap_or(0);
    let mut next = 0;
    let mut places = Vec::with_capacity(rows * longest);
    let n = log_probs.dims()[0] as i32;
    for response in responses {
        let len = response.len() as i32;
        places.extend(next..next + len);
        places.extend(std::iter::repeat_n(n, longest - response.len()));
        next += len;
    }
    let zero = Tensor::zeros([1], &device);
    Tensor::cat(vec![log_probs, zero], 0)
        .select(0, ints(places))
        .reshape([rows, longest])
}

/// `log softmax(logits)[target]` of each row, `[n]`.
///
/// The gradient `onehot − softmax` is written down: left to autodiff it takes more passes over
/// `[n, vocab]`, and goes through a reciprocal that ndarray approximates.
fn pick<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
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
