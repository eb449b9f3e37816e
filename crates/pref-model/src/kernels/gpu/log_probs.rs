//! Log-probs of target tokens. In: logits and target ids. Out: nats, one per target, or the gradients of the logits.
//!
//! A group of threads reads a row of logits once and keeps a maximum and a sum, so no log-softmax is stored. The
//! gradient of a logit takes the memory of the logit if nothing else needs it.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{
    THREADS, addresses, contiguous, empty, group, groups, groups_for_values, in_format, writable,
};

/// One group of threads for a row.
#[cube(launch_unchecked, address_type = "dynamic")]
fn log_prob_of_row<F: Float, I: Int>(
    logits: &Tensor<F>,
    targets: &Tensor<I>,
    log_probs: &mut Tensor<f32>,
    #[define(F, I)] _formats: [StorageType; 2],
) {
    let row = CUBE_POS;
    let unit = UNIT_POS as usize;
    let width = logits.shape(1);
    let end = select(row < logits.shape(0), width, 0usize);

    // The sum of exp(logit - largest) over the logits that this thread has read.
    let mut largest = f32::min_value();
    let mut sum = 0.0f32;
    let mut column = unit;
    while column < end {
        let logit = f32::cast_from(logits[row * width + column]);
        if logit > largest {
            sum = sum * f32::exp(largest - logit) + 1.0;
            largest = logit;
        } else {
            sum += f32::exp(logit - largest);
        }
        column += comptime!(THREADS);
    }

    let mut maxima = SharedMemory::<f32>::new(THREADS);
    let mut sums = SharedMemory::<f32>::new(THREADS);
    maxima[unit] = largest;
    sums[unit] = sum;
    sync_cube();
    let mut half = comptime!(THREADS / 2).runtime();
    while half > 0 {
        if unit < half {
            let (a, b) = (maxima[unit], maxima[unit + half]);
            let both = f32::max(a, b);
            let (of_a, of_b) = (sums[unit], sums[unit + half]);
            sums[unit] = of_a * f32::exp(a - both) + of_b * f32::exp(b - both);
            maxima[unit] = both;
        }
        sync_cube();
        half /= 2;
    }
    if unit == 0 && row < logits.shape(0) {
        let target = usize::cast_from(targets[row]);
        let picked = f32::cast_from(logits[row * width + target]);
        log_probs[row] = picked - maxima[0] - f32::ln(sums[0]);
    }
}

/// The logarithm of the sum of exponentials of each row: the target's logit minus its log-prob.
#[cube(launch_unchecked, address_type = "dynamic")]
fn log_sum_of_row<F: Float, I: Int>(
    logits: &Tensor<F>,
    targets: &Tensor<I>,
    log_probs: &Tensor<f32>,
    log_sums: &mut Tensor<f32>,
    #[define(F, I)] _formats: [StorageType; 2],
) {
    let row = ABSOLUTE_POS;
    if row < logits.shape(0) {
        let target = usize::cast_from(targets[row]);
        let picked = f32::cast_from(logits[row * logits.shape(1) + target]);
        log_sums[row] = picked - log_probs[row];
    }
}

/// One thread for a logit, which it replaces by its gradient.
#[cube(launch_unchecked, address_type = "dynamic")]
fn gradient_of_logit<F: Float, I: Int>(
    logits: &mut Tensor<F>,
    targets: &Tensor<I>,
    log_sums: &Tensor<f32>,
    gradient: &Tensor<f32>,
    cap: f32,
    #[comptime] has_cap: bool,
    #[define(F, I)] _formats: [StorageType; 2],
) {
    let width = logits.shape(1);
    let at = ABSOLUTE_POS;
    if at < logits.shape(0) * width {
        let row = at / width;
        let logit = f32::cast_from(logits[at]);
        let is_target = usize::cast_from(targets[row]) == at - row * width;
        let one_hot = select(is_target, 1.0f32, 0.0f32);
        let mut value = (one_hot - f32::exp(logit - log_sums[row])) * gradient[row];
        if comptime!(has_cap) {
            let share = logit / cap;
            value *= 1.0 - share * share;
        }
        logits[at] = F::cast_from(value);
    }
}

/// `log softmax(logits)[target]`, `[n]` in float32, of logits `[n, vocab]` and targets `[n]`.
pub(super) fn log_probs_of_logits<R: CubeRuntime>(
    [logits, targets]: [CubeTensor<R>; 2],
) -> [CubeTensor<R>; 1] {
    let [logits, targets] = contiguous([logits, targets]);
    let n = logits.meta.shape()[0];
    let log_probs = empty(&logits, [n], DType::F32);
    let formats = [logits.dtype.into(), targets.dtype.into()];
    // SAFETY: every group reads one row of the logits and its target, which is below the width of the row.
    unsafe {
        log_prob_of_row::launch_unchecked(
            &log_probs.client,
            groups(n),
            group(),
            addresses(&[&logits]),
            logits.into_tensor_arg(),
            targets.into_tensor_arg(),
            log_probs.clone().into_tensor_arg(),
            formats,
        );
    }
    [log_probs]
}

/// The gradients of logits `[n, vocab]` before the soft cap, from targets, log-probs and gradients of log-probs, `[n]`.
pub(super) fn logits_backward<R: CubeRuntime>(
    [logits, targets, log_probs, gradient]: [CubeTensor<R>; 4],
    softcap: Option<f64>,
) -> [CubeTensor<R>; 1] {
    let logits = writable(logits);
    let [targets] = contiguous([targets]);
    let [log_probs, gradient] = [log_probs, gradient].map(|x| in_format(x, DType::F32));
    let n = logits.meta.shape()[0];
    let n_logits = logits.meta.num_elements();
    let log_sums = empty(&logits, [n], DType::F32);
    let formats: [StorageType; 2] = [logits.dtype.into(), targets.dtype.into()];
    let addresses = addresses(&[&logits]);
    // SAFETY: the kernels check that their row and their logit exist, and a target is below the width of a row.
    unsafe {
        log_sum_of_row::launch_unchecked(
            &logits.client,
            groups_for_values(n),
            group(),
            addresses,
            logits.clone().into_tensor_arg(),
            targets.clone().into_tensor_arg(),
            log_probs.into_tensor_arg(),
            log_sums.clone().into_tensor_arg(),
            formats,
        );
        gradient_of_logit::launch_unchecked(
            &logits.client,
            groups_for_values(n_logits),
            group(),
            addresses,
            logits.clone().into_tensor_arg(),
            targets.into_tensor_arg(),
            log_sums.into_tensor_arg(),
            gradient.into_tensor_arg(),
            softcap.unwrap_or(1.0) as f32,
            softcap.is_some(),
            formats,
        );
    }
    [logits]
}
