//! Splits of a data set, such as `train` and `test`. In: the paths of its files. Out: the files of one
//! split, or a pattern for each split to choose from.

use std::collections::BTreeMap;

/// Words in paths that name a split. The first two name the training split.
const WORDS: [&str; 11] = [
    "train",
    "training",
    "test",
    "testing",
    "validation",
    "valid",
    "val",
    "dev",
    "eval",
    "evaluation",
    "holdout",
];

/// The files, if all of them belong to one split. With `prefers_train`, only the files of training
/// splits count if there are any. If no path names a split, all files count as one split.
///
/// # Errors
/// A pattern for each split, if there are several.
pub(crate) fn files_of_one_split(
    files: Vec<String>,
    prefers_train: bool,
) -> Result<Vec<String>, Vec<String>> {
    let names =
        |file: &String, words: &[&str]| path_words(file).any(|word| words.contains(&&*word));
    let mut files = files;
    if !files.iter().any(|file| names(file, &WORDS)) {
        return Ok(files);
    }
    if prefers_train && files.iter().any(|file| names(file, &WORDS[..2])) {
        files.retain(|file| names(file, &WORDS[..2]));
    }
    let mut splits: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for file in &files {
        splits.entry(split_name(file)).or_default().push(file);
    }
    match splits.len() {
        1 => Ok(files),
        _ => Err(splits.into_values().map(|files| pattern(&files)).collect()),
    }
}

/// The words of a path, in lower case.
fn path_words(path: &str) -> impl Iterator<Item = String> {
    let words = path.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_lowercase)
}

/// A path without its ending and its shard number: `data/train_sft` for
/// `data/train_sft-00000-of-00002-3f0a.parquet`.
fn split_name(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.split('.').next().unwrap_or(name);
    let mut words: Vec<&str> = stem.split(['-', '_']).collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    if let Some(at) = words.iter().rposition(|word| *word == "of")
        && at > 0
        && is_number(words[at - 1])
        && words.get(at + 1).is_some_and(|word| is_number(word))
    {
        // at most a hash follows
        words.truncate(at - 1);
    }
    while words.last().is_some_and(|word| is_number(word)) {
        words.pop();
    }
    format!("{folder}/{}", words.join("_"))
}

/// A pattern that matches all of these files: their common beginning and `*`.
fn pattern(files: &[&String]) -> String {
    let [first, rest @ ..] = files else {
        return String::new();
    };
    if rest.is_empty() {
        return (*first).clone();
    }
    let same = |file: &&String| {
        let pairs = first.char_indices().zip(file.chars());
        let same = pairs.take_while(|((_, a), b)| a == b).last();
        same.map_or(0, |((at, c), _)| at + c.len_utf8())
    };
    let end = rest.iter().map(same).min().unwrap_or(0);
    format!("{}*", &first[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], prefers_train: bool, expected: Result<&[&str], &[&str]>) {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let found = files_of_one_split(owned(files), prefers_train);
        assert_eq!(found, expected.map(owned).map_err(owned));
    }

    #[test]
    fn train_counts_only_as_a_whole_word() {
        let files = ["data/constrained.parquet", "data/train_prefs-0.parquet"];
        check(&files, true, Ok(&files[1..]));
        check(
            &["constrained.jsonl", "strained.jsonl"],
            true,
            Ok(&["constrained.jsonl", "strained.jsonl"]),
        );
    }

    #[test]
    fn shards_of_a_split_belong_together() {
        let files = [
            "data/train_sft-00000-of-00002-3f0a81.parquet",
            "data/train_sft-00001-of-00002-99bc01.parquet",
        ];
        check(&files, true, Ok(&files));
        check(
            &["train/0000.parquet", "train/0001.parquet"],
            false,
            Ok(&["train/0000.parquet", "train/0001.parquet"]),
        );
    }

    #[test]
    fn several_splits_are_an_error_with_a_pattern_for_each() {
        let files = [
            "data/test_prefs-00000-of-00001.parquet",
            "data/train_gen-00000-of-00001.parquet",
            "data/train_prefs-00000-of-00002.parquet",
            "data/train_prefs-00001-of-00002.parquet",
        ];
        let asked = [files[1], "data/train_prefs-0000*"];
        check(&files, true, Err(&asked));
        check(
            &["helpful/train.jsonl.gz", "harmless/train.jsonl.gz"],
            true,
            Err(&["harmless/train.jsonl.gz", "helpful/train.jsonl.gz"]),
        );
        check(&["test.jsonl", "train.jsonl"], true, Ok(&["train.jsonl"]));
        check(
            &["test.jsonl", "train.jsonl"],
            false,
            Err(&["test.jsonl", "train.jsonl"]),
        );
        check(
            &["extra.jsonl", "validation.jsonl"],
            true,
            Err(&["extra.jsonl", "validation.jsonl"]),
        );
    }
}
