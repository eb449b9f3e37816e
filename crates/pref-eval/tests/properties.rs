//! Properties of answers. In: random texts and numbers. Out: no panic, no long work, and rules that hold for all.

use pref_eval::{Extraction, Verdict, compare_answers, expected_answer};
use proptest::prelude::*;

/// Pieces that answers are made of, so that random texts reach all readers.
const PIECES: [&str; 62] = [
    "1",
    "23",
    "0",
    ".5",
    "1,000",
    "3.14",
    "e9",
    "x",
    "y",
    "i",
    "e",
    "pi",
    "\\pi",
    "\\frac",
    "\\frac{1}{2}",
    "\\sqrt",
    "\\sqrt[3]",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\\{",
    "\\}",
    "^",
    "_",
    "+",
    "-",
    "*",
    "/",
    "=",
    "<",
    "\\le",
    ",",
    ";",
    ":",
    "|",
    "!",
    "%",
    "\\%",
    "$",
    "\\$",
    "\\text{cm}",
    " cm",
    " and ",
    " or ",
    "\\cup",
    "\\in",
    "\\pm",
    "\\infty",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "&",
    "\\\\",
    "\\sin",
    "\\log_2",
    "^\\circ",
    "\\overline{3}",
    "\\boxed{",
    "#### ",
    "the answer is ",
];

fn made_of_pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)
        .prop_map(|pieces| pieces.concat())
}

fn extractions() -> Vec<Extraction> {
    ["auto", "gsm8k", "boxed", "number", r"regex:(\d+)\s*$"]
        .map(|name| name.parse().expect("the names are valid"))
        .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_a_verdict(expected in made_of_pieces(), found in made_of_pieces(), other in "\\PC{0,60}") {
        for text in [&found, &other] {
            compare_answers(&expected, text);
            for extraction in extractions() {
                if let Some(answer) = extraction.extract(text) {
                    prop_assert!(text.contains(answer));
                    compare_answers(expected_answer(&expected), answer);
                }
            }
        }
    }

    #[test]
    fn an_answer_is_equal_to_itself(text in made_of_pieces()) {
        let verdict = compare_answers(&text, &text);
        prop_assert_ne!(verdict, Verdict::Different);
    }

    #[test]
    fn fractions_are_equal_if_their_products_are(
        (a, b, c, d) in (-40_i64..40, 1_i64..20, -40_i64..40, 1_i64..20),
    ) {
        let expected = if a * d == b * c { Verdict::Equal } else { Verdict::Different };
        let first = format!("\\frac{{{a}}}{{{b}}}");
        prop_assert_eq!(compare_answers(&first, &format!("{c}/{d}")), expected);
        prop_assert_eq!(compare_answers(&format!("{c}/{d}"), &format!("${first}$")), expected);
    }

    #[test]
    fn separators_of_thousands_change_nothing(n in 1_000_i64..10_000_000_000) {
        let digits = n.to_string();
        let mut grouped = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        prop_assert_eq!(compare_answers(&digits, &grouped), Verdict::Equal);
        prop_assert_eq!(compare_answers(&format!("\\${grouped}"), &digits), Verdict::Equal);
        prop_assert_eq!(compare_answers(&(n + 1).to_string(), &grouped), Verdict::Different);
    }

    #[test]
    fn surds_are_compared_by_their_value(a in 1_i64..30, b in 1_i64..30, n in 2_i64..50) {
        // a √n = √(a² n)
        let surd = format!("{a}\\sqrt{{{n}}}");
        prop_assert_eq!(compare_answers(&surd, &format!("\\sqrt{{{}}}", a * a * n)), Verdict::Equal);
        let expected = if a == b { Verdict::Equal } else { Verdict::Different };
        prop_assert_eq!(compare_answers(&surd, &format!("{b}\\sqrt{{{n}}}")), expected);
    }

    #[test]
    fn products_of_polynomials_are_equal_to_their_sums(a in -9_i64..9, b in -9_i64..9) {
        let product = format!("(x + {a})(x + {b})").replace("+ -", "- ");
        let sum = format!("x^2 + {}x + {}", a + b, a * b).replace("+ -", "- ");
        prop_assert_eq!(compare_answers(&product, &sum), Verdict::Equal);
        let other = format!("{sum} + x");
        prop_assert_eq!(compare_answers(&product, &other), Verdict::Different);
    }

    #[test]
    fn the_order_of_a_set_does_not_matter(mut items in prop::collection::vec(-50_i64..50, 1..8), seed in any::<u64>()) {
        let list = |items: &[i64]| items.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let first = format!("\\{{{}\\}}", list(&items));
        let n = items.len();
        items.rotate_left(seed as usize % n);
        prop_assert_eq!(compare_answers(&first, &format!("\\{{{}\\}}", list(&items))), Verdict::Equal);
        items.push(99);
        prop_assert_eq!(compare_answers(&first, &format!("\\{{{}\\}}", list(&items))), Verdict::Different);
    }
}

/// Texts whose comparison would take long, or would need a deep stack, without limits.
#[test]
fn work_is_bounded() {
    let long = [
        "9".repeat(1_900),
        "(".repeat(1_900),
        "\\frac{1}{".repeat(200),
        "\\boxed{".repeat(5_000),
        "-".repeat(1_900),
        "|".repeat(1_900),
        "9^9^9^9^9^9".to_owned(),
        "10^{10^{10}}".to_owned(),
        "1000!^{1000}".to_owned(),
        "(x+1)^{1000000}".to_owned(),
        "\\binom{1000}{500}^{99}".to_owned(),
        "\\sqrt[63]{2}".repeat(60),
        "\\sin(".repeat(30),
        "\\sin x + ".repeat(150) + "1",
        format!("{{{}}}", "\\sqrt2,".repeat(250)),
        "a\\cup".repeat(300),
        "e^{e^{e^{e^e}}}".to_owned(),
        "0.".to_owned() + &"3".repeat(1_500) + "...",
        "$".repeat(20_000),
        "1 ".repeat(20_000),
        "#### ".repeat(20_000),
        "not 5 ".repeat(20_000),
        "the answer is ".repeat(20_000),
        "x".repeat(20_000),
    ];
    for a in &long {
        for extraction in extractions() {
            extraction.extract(a);
        }
        for b in ["42", "x", "\\{1,2\\}", a.as_str()] {
            compare_answers(a, b);
            compare_answers(b, a);
        }
    }
    assert_eq!(
        compare_answers("10^{10^{10}}", "10^{10^{10}}+1"),
        Verdict::Unknown
    );
}

#[test]
fn comparisons_run_in_threads() {
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let start = |i: i64| {
            move || {
                compare_answers(
                    &format!("\\sqrt{{{}}}+\\pi", i * i * 2),
                    &format!("{i}\\sqrt2+\\pi"),
                )
            }
        };
        let threads: Vec<_> = (1..9).map(|i| scope.spawn(start(i))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(verdicts, [Verdict::Equal; 8]);
}
