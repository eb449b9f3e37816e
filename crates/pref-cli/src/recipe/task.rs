//! Arithmetic word problems with solutions in steps. A decoder with a million weights learns this task in a
//! minute. In: a number of pairs and a seed. Out: pairs of a right and a wrong solution.
//!
//! The wrong solution has one mistake that people make (a slip, a wrong operation, a missing step), and
//! continues with the wrong number to a wrong answer.

use std::fmt::Write;

use pref_data::{Pair, Text};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

const NAMES: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn"];
const THINGS: [&str; 6] = ["apples", "pens", "books", "shells", "coins", "stamps"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Subtract,
    Multiply,
}

/// One step of a solution: the operation is applied to the previous result and the operand.
#[derive(Clone, Copy, Debug)]
struct Step {
    op: Op,
    operand: i64,
}

impl Op {
    fn apply(self, a: i64, b: i64) -> i64 {
        match self {
            Op::Add => a + b,
            Op::Subtract => a - b,
            Op::Multiply => a * b,
        }
    }

    fn sign(self) -> char {
        match self {
            Op::Add => '+',
            Op::Subtract => '-',
            Op::Multiply => '*',
        }
    }
}

/// A problem: its question, the number that the solution starts from, and the steps to the answer.
#[derive(Clone, Debug)]
struct Problem {
    question: String,
    start: i64,
    steps: Vec<Step>,
}

/// Makes `n` pairs. The same seed always gives the same pairs. Questions may repeat.
pub(super) fn arithmetic_pairs(n: usize, seed: u64) -> Vec<Pair> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pair = |index| {
        let problem = Problem::draw(&mut rng);
        let right = solution(problem.start, &problem.steps, None);
        let wrong = loop {
            let (start, steps, slip) = problem.mistaken(&mut rng);
            let wrong = solution(start, &steps, slip);
            if answer(&wrong) != answer(&right) {
                break wrong;
            }
        };
        let prompt = format!("Question: {}\nAnswer:", problem.question);
        let [prompt, chosen, rejected] = [prompt, right, wrong].map(Text::Plain);
        Pair::new(prompt, chosen, rejected, index + 1)
    };
    (0..n).map(pair).collect()
}

/// The text of a solution. `slip` is a step and the number that is wrongly added to its result.
fn solution(start: i64, steps: &[Step], slip: Option<(usize, i64)>) -> String {
    let mut text = String::new();
    let mut value = start;
    for (index, Step { op, operand }) in steps.iter().enumerate() {
        let mut result = op.apply(value, *operand);
        if let Some((_, error)) = slip.filter(|(at, _)| *at == index) {
            result += error;
        }
        let sign = op.sign();
        writeln!(text, " {value} {sign} {operand} = {result}").expect("a string takes any text");
        value = result;
    }
    write!(text, "A: {value}").expect("a string takes any text");
    text
}

/// The text after `A: `.
fn answer(solution: &str) -> &str {
    solution.rsplit("A: ").next().unwrap_or_default()
}

impl Problem {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..4) {
            0 => Self::collecting(rng),
            1 => Self::shopping(rng),
            2 => Self::boxes(rng),
            _ => Self::walking(rng),
        }
    }

    /// Somebody finds things and gives some away.
    fn collecting(rng: &mut ChaCha8Rng) -> Self {
        let (name, thing) = (name(rng), thing(rng));
        let start = rng.random_range(4..=9);
        let more = rng.random_range(2..=9);
        let less = rng.random_range(1..=4);
        let mut steps = vec![
            Step {
                op: Op::Add,
                operand: more,
            },
            Step {
                op: Op::Subtract,
                operand: less,
            },
        ];
        let mut question =
            format!("{name} has {start} {thing}, finds {more} more and gives {less} away.");
        if rng.random_bool(0.5) {
            let again = rng.random_range(2..=9);
            steps.push(Step {
                op: Op::Add,
                operand: again,
            });
            write!(question, " Then {name} gets {again} more.").expect("a string takes any text");
        }
        write!(question, " How many {thing} does {name} have?").expect("a string takes any text");
        Self {
            question,
            start,
            steps,
        }
    }

    /// Several things at a price, and a bag.
    fn shopping(rng: &mut ChaCha8Rng) -> Self {
        let (name, thing) = (name(rng), thing(rng));
        let (n, price) = (rng.random_range(2..=9), rng.random_range(2..=9));
        let fee = rng.random_range(1..=9);
        let question = format!(
            "{name} buys {n} {thing} for {price} dollars each and a bag for {fee} dollars. \
             How many dollars does {name} pay?"
        );
        let steps = vec![
            Step {
                op: Op::Multiply,
                operand: price,
            },
            Step {
                op: Op::Add,
                operand: fee,
            },
        ];
        Self {
            question,
            start: n,
            steps,
        }
    }

    /// Boxes of things, of which some are taken out.
    fn boxes(rng: &mut ChaCha8Rng) -> Self {
        let (name, thing) = (name(rng), thing(rng));
        let (boxes, each) = (rng.random_range(2..=6), rng.random_range(3..=9));
        let lost = rng.random_range(1..=5);
        let question = format!(
            "{name} has {boxes} boxes with {each} {thing} each and takes {lost} out. \
             How many {thing} are left in the boxes?"
        );
        let steps = vec![
            Step {
                op: Op::Multiply,
                operand: each,
            },
            Step {
                op: Op::Subtract,
                operand: lost,
            },
        ];
        Self {
            question,
            start: boxes,
            steps,
        }
    }

    /// The same distance on several days, and more on the last.
    fn walking(rng: &mut ChaCha8Rng) -> Self {
        let name = name(rng);
        let (daily, days) = (rng.random_range(2..=9), rng.random_range(2..=7));
        let (more, back) = (rng.random_range(2..=9), rng.random_range(1..=3));
        let question = format!(
            "{name} walks {daily} miles a day for {days} days, then {more} miles more, of which \
             {back} do not count. How many miles count?"
        );
        let steps = vec![
            Step {
                op: Op::Multiply,
                operand: days,
            },
            Step {
                op: Op::Add,
                operand: more,
            },
            Step {
                op: Op::Subtract,
                operand: back,
            },
        ];
        Self {
            question,
            start: daily,
            steps,
        }
    }

    /// A solution with one mistake: the number to start from, the steps, and possibly a slip.
    fn mistaken(&self, rng: &mut ChaCha8Rng) -> (i64, Vec<Step>, Option<(usize, i64)>) {
        let mut steps = self.steps.clone();
        let at = rng.random_range(0..steps.len());
        match rng.random_range(0..3) {
            0 => {
                let error = *[-2, -1, 1, 2, 10].choose(rng).expect("five errors");
                (self.start, steps, Some((at, error)))
            }
            1 => {
                steps[at].op = match steps[at].op {
                    Op::Add | Op::Multiply => *[Op::Subtract, Op::Add, Op::Multiply]
                        .choose(rng)
                        .expect("three operations"),
                    Op::Subtract => Op::Add,
                };
                (self.start, steps, None)
            }
            _ => {
                // Every problem has at least two steps, so at least one is left.
                steps.remove(at);
                (self.start, steps, None)
            }
        }
    }
}

fn name(rng: &mut ChaCha8Rng) -> &'static str {
    NAMES.choose(rng).expect("there are names")
}

fn thing(rng: &mut ChaCha8Rng) -> &'static str {
    THINGS.choose(rng).expect("there are things")
}

/// The text of a prompt or an answer. This task has no conversations.
pub(super) fn plain(text: &Text) -> &str {
    match text {
        Text::Plain(text) => text,
        Text::Conversation(_) => "",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    #[test]
    fn right_solutions_are_right_and_wrong_ones_are_wrong() {
        for pair in arithmetic_pairs(500, 1) {
            let (right, wrong) = (plain(&pair.chosen), plain(&pair.rejected));
            let mut value = None;
            for line in right.lines().filter(|line| line.starts_with(' ')) {
                let words: Vec<&str> = line.split_whitespace().collect();
                let number = |i: usize| words[i].parse::<i64>().unwrap();
                let result = match words[1] {
                    "+" => number(0) + number(2),
                    "-" => number(0) - number(2),
                    "*" => number(0) * number(2),
                    other => panic!("{other}"),
                };
                assert_eq!(result, number(4), "{right}");
                assert!(value.is_none_or(|v| v == number(0)), "{right}");
                value = Some(result);
            }
            assert_eq!(answer(right).parse(), Ok(value.unwrap()));
            assert_ne!(answer(right), answer(wrong));
        }
    }

    #[test]
    fn other_seeds_give_other_pairs() {
        assert_ne!(arithmetic_pairs(20, 1), arithmetic_pairs(20, 2));
    }

    #[test]
    fn the_first_pairs_read_like_this() {
        let show = |pair: &Pair| {
            let texts = [&pair.prompt, &pair.chosen, &pair.rejected].map(|t| plain(t).to_owned());
            texts.join("\n---\n")
        };
        let pairs = arithmetic_pairs(4, 0);
        let text: Vec<String> = pairs.iter().map(show).collect();
        insta::assert_snapshot!(text.join("\n======\n"));
    }
}
