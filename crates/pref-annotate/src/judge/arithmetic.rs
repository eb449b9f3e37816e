//! Checks calculations in text. In: a sentence or an answer. Out: whether its equations hold, and its final
//! number.

use std::sync::LazyLock;

use regex::Regex;

use crate::parse::{ascii_digits, number_of};

static NOTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"<<([^<>=]{1,200})=([^<>=]{1,50})>>"));

static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"([\d$(.][\d\s.,+*/×÷()$-]{0,200})=\s*\$?\s*(-?\$?\d[\d,]*(?:\.\d+)?)")
});

static MARK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?im)####|^\s*A:|\banswer is:?|\banswer:"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// How many equations of a text hold, and how many do not. An equation is `3 + 4 = 7`, or a note such as
/// `<<3+4=7>>`, which GSM8K has. An expression that cannot be computed does not count.
pub(crate) fn equations(text: &str) -> (usize, usize) {
    let text = ascii_digits(text);
    let mut found: Vec<(String, String)> = Vec::new();
    let mut take = |regex: &Regex, text: &str| {
        for captures in regex.captures_iter(text) {
            found.push((captures[1].to_owned(), captures[2].to_owned()));
        }
    };
    take(&NOTED, &text);
    take(&PLAIN, &NOTED.replace_all(&text, ""));
    let (mut right, mut wrong) = (0, 0);
    for (left, stated) in found {
        let Some(value) = stated_number(&stated) else {
            continue;
        };
        match compute(&left) {
            Some(computed) if (computed - value).abs() <= tolerance(&stated) => right += 1,
            Some(_) => wrong += 1,
            None => {}
        }
    }
    (right, wrong)
}

fn stated_number(text: &str) -> Option<f64> {
    let text = text.replace(['$', ',', ' '], "");
    match text.strip_suffix('%') {
        Some(text) => text.parse::<f64>().ok().map(|number| number / 100.0),
        None => text.parse().ok(),
    }
}

/// A stated number may be rounded or cut in its last decimal; a whole number must be exact.
fn tolerance(stated: &str) -> f64 {
    let n_decimals = stated
        .trim()
        .trim_end_matches('%')
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.trim().len());
    match n_decimals {
        0 => 1e-6,
        n => 10f64.powi(-(n.min(9) as i32)) + 1e-9,
    }
}

/// The number after the last `####`, `A:` or "answer is" of an answer.
pub fn final_number(answer: &str) -> Option<f64> {
    let last = MARK.find_iter(answer).last()?;
    number_of(&answer[last.end()..])
}

/// Whether two numbers are the same final answer.
pub fn same_number(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1.0)
}

/// The value of an expression with `+ - * / ( )` and `%`; none if it has no operator or is no expression.
fn compute(text: &str) -> Option<f64> {
    let clean: Vec<char> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '$' && *c != ',')
        .map(|c| match c {
            '×' | 'x' => '*',
            '÷' => '/',
            c => c,
        })
        .collect();
    let has_operator = clean.iter().skip(1).any(|c| "+-*/%".contains(*c));
    if !has_operator {
        return None;
    }
    let mut expression = Expression {
        text: &clean,
        at: 0,
        depth: 0,
    };
    let value = expression.sum()?;
    (expression.at == clean.len() && value.is_finite()).then_some(value)
}

/// Reads an expression from left to right.
struct Expression<'a> {
    text: &'a [char],
    at: usize,
    depth: usize,
}

/// Most parentheses inside each other.
const MAX_DEPTH: usize = 50;

impl Expression<'_> {
    fn next_is(&mut self, c: char) -> bool {
        let is = self.text.get(self.at) == Some(&c);
        self.at += usize::from(is);
        is
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product()?;
        loop {
            if self.next_is('+') {
                value += self.product()?;
            } else if self.next_is('-') {
                value -= self.product()?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.factor()?;
        loop {
            if self.next_is('*') {
                value *= self.factor()?;
            } else if self.next_is('/') {
                value /= self.factor()?;
            } else {
                return Some(value);
            }
        }
    }

    fn factor(&mut self) -> Option<f64> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = if self.next_is('-') {
            -self.factor()?
        } else if self.next_is('(') {
            let value = self.sum()?;
            if !self.next_is(')') {
                return None;
            }
            value
        } else {
            let start = self.at;
            let is_part = |c: &char| c.is_ascii_digit() || *c == '.';
            while self.text.get(self.at).is_some_and(is_part) {
                self.at += 1;
            }
            let digits: String = self.text[start..self.at].iter().collect();
            digits.parse().ok()?
        };
        self.depth -= 1;
        match self.next_is('%') {
            true => Some(value / 100.0),
            false => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: (usize, usize)) {
        assert_eq!(equations(text), expected, "{text}");
    }

    #[test]
    fn equations_are_computed() {
        check("so 3 + 4 = <<3+4=7>>7 eggs", (2, 0));
        check("16 * 7 = <<16*7=113>>113", (0, 2));
        check("It takes 2*1/2=<<2*1/2=1.0>>1 bolt", (2, 0));
        check("1/3 = 0.33 and 2/3 = 0.66", (2, 0));
        check("(1 + 2) * $3 = $9, -1 + 2 = 2", (1, 1));
        check("<<20*50%=10>>10 of them", (1, 0));
        check("x = 3, and 7 = 7", (0, 0));
        check("7/2 = 4", (0, 1));
        check("1/0 = 3", (0, 0));
    }

    #[test]
    fn the_final_number_follows_the_last_mark() {
        assert_eq!(final_number("A: 3\nno\nA: $1,018"), Some(1018.0));
        assert_eq!(final_number("so it is\n#### -4 apples"), Some(-4.0));
        assert_eq!(final_number("The answer is: 12."), Some(12.0));
        assert_eq!(final_number("12"), None);
    }
}
