//! Benchmarks of text processing. In: made-up pairs. Out: times of computing diffs, reading,
//! tokenising, and dividing text into sentences.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use pref_benches::text::{answers_that_differ, tokenizer_folder, write_pairs};
use pref_data::{
    DiffAlgorithm, Segmenter, Sentences, TokenDiff, TokenizeOptions, Tokenizer, read_pairs,
    tokenize,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .configure_from_args();

    let mut group = criterion.benchmark_group("diff");
    for (n, share) in [
        (2048, 0.1),
        (2048, 0.5),
        (2048, 1.0),
        (8192, 0.1),
        (16_384, 0.1),
    ] {
        let [chosen, rejected] = answers_that_differ(n, share);
        for algorithm in [DiffAlgorithm::Levenshtein, DiffAlgorithm::Difflib] {
            let name = format!("{algorithm:?}/{n} tokens, {:.0} % differ", 100.0 * share);
            group.bench_function(name, |bencher| {
                bencher.iter(|| black_box(TokenDiff::new(&chosen, &rejected, algorithm)));
            });
        }
    }
    group.finish();

    let folder = tempfile::tempdir().expect("the disk has room for a file");
    let path = folder.path().join("pairs.jsonl");
    write_pairs(&path, 1000).expect("the disk has room for a file");
    let pairs = read_pairs(&path).expect("the made-up pairs can be read");
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function(BenchmarkId::new("read", "1000 pairs"), |bencher| {
        bencher.iter(|| black_box(read_pairs(&path)));
    });
    let tokenizer =
        Tokenizer::from_folder(&tokenizer_folder()).expect("fixtures are in the repository");
    group.bench_function(BenchmarkId::new("tokenize", "1000 pairs"), |bencher| {
        bencher.iter(|| black_box(tokenize(&pairs, &tokenizer, &TokenizeOptions::default())));
    });
    let answers: Vec<String> = pairs.iter().map(|pair| pair.chosen.to_string()).collect();
    let bytes: usize = answers.iter().map(String::len).sum();
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(BenchmarkId::new("sentences", "1000 answers"), |bencher| {
        bencher.iter(|| {
            for answer in &answers {
                black_box(Sentences.segment(answer));
            }
        });
    });
    group.finish();
    criterion.final_summary();
}
