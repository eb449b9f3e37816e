//! The speed of a machine. In: nothing. Out: operations and bytes per second.

use std::time::Instant;

use burn::backend::Flex;
use burn::tensor::{Distribution, Tensor};

/// Floating-point operations per second of a product of two matrices of 2,048 × 2,048.
pub fn fastest_product() -> f64 {
    let n = 2048;
    let device = Default::default();
    let matrix = || Tensor::<Flex, 2>::random([n, n], Distribution::Default, &device);
    let (a, b) = (matrix(), matrix());
    let seconds = (0..8).map(|_| {
        let start = Instant::now();
        let product = a.clone().matmul(b.clone());
        let seconds = start.elapsed().as_secs_f64();
        drop(product);
        seconds
    });
    2.0 * (n as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
}

/// Bytes per second at which all threads together read memory that is larger than the caches.
///
/// # Panics
/// If a thread cannot be started.
pub fn read_speed() -> f64 {
    let n: usize = 1 << 28; // 1 GiB
    let device = Default::default();
    let values = Tensor::<Flex, 1>::ones([n], &device).into_data();
    let values: &[f32] = values.as_slice().expect("float32");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seconds = (0..4).map(|_| {
        let start = Instant::now();
        let sum: u32 = std::thread::scope(|scope| {
            let parts = values.chunks(n.div_ceil(threads));
            let read = |part: &[f32]| {
                part.chunks_exact(64).fold([0_u32; 64], |mut sums, values| {
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum ^= value.to_bits();
                    }
                    sums
                })
            };
            let parts: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
            let sums = parts.into_iter().map(|part| part.join().expect("a sum"));
            sums.flatten().fold(0, |a, b| a ^ b)
        });
        std::hint::black_box(sum);
        start.elapsed().as_secs_f64()
    });
    4.0 * n as f64 / seconds.fold(f64::INFINITY, f64::min)
}
