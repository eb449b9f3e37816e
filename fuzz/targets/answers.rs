//! Extracts and compares arbitrary answers. In: bytes, as two texts. Out: a verdict, without a panic, and in bounded
//! time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pref_eval::{Extraction, Verdict, compare_answers, expected_answer};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (expected, response) = text.split_once('\n').unwrap_or((text, text));
    for extraction in [Extraction::Auto, Extraction::Gsm8k, Extraction::Boxed, Extraction::Number] {
        if let Some(found) = extraction.extract(response) {
            compare_answers(expected_answer(expected), found);
        }
    }
    compare_answers(expected, response);
    assert_ne!(compare_answers(expected, expected), Verdict::Different);
});
