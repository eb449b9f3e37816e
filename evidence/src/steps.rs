//! The checker of the recipe's problems, step by step. In: a problem and a solution. Out: for each line of the solution,
//! whether it is the next right step.

/// The events of a problem, and how many things there are after each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Story<'a> {
    /// Each event as it stands in the problem, with the number of things after it.
    events: Vec<(&'a str, i64)>,
}

impl<'a> Story<'a> {
    /// Reads a problem such as `Question: Dan has 8 books, loses 2, finds 3. How many books?`.
    pub(crate) fn read(prompt: &'a str) -> Option<Self> {
        let (_, text) = prompt.split_once(" has ")?;
        let (text, _) = text.split_once(". How many")?;
        let mut parts = text.split(", ");
        let mut value = number(parts.next()?, 0)?;
        let mut events = Vec::new();
        for event in parts {
            value += change(event)?;
            events.push((event, value));
        }
        Some(Self { events })
    }

    /// Whether each line of a solution, without the empty one before the first, is right. The last line is right if it
    /// gives the answer.
    pub(crate) fn check(&self, solution: &str) -> Vec<bool> {
        let lines: Vec<&str> = solution.trim_start_matches('\n').split('\n').collect();
        let mut next = 0;
        let mut is_right = |line: &&str| {
            if let Some(answer) = line.strip_prefix("A: ") {
                let expected = self.events.last().map(|(_, value)| *value);
                return answer.trim().parse().ok() == expected;
            }
            let Some(&(event, value)) = self.events.get(next) else {
                return false;
            };
            next += 1;
            let found = line.trim().split_once(": ");
            let result = line.rsplit("= ").next().and_then(|n| n.trim().parse().ok());
            found.is_some_and(|(written, _)| written == event) && result == Some(value)
        };
        lines.iter().map(&mut is_right).collect()
    }
}

/// How many things an event adds.
fn change(event: &str) -> Option<i64> {
    let n = |i: usize| number(event, i);
    match event.split(' ').next()? {
        "finds" => n(0),
        "loses" => n(0).map(|n| -n),
        "gives" => Some(-n(0)? * n(1)?),
        "buys" => Some(n(0)? * n(1)?),
        "drops" => Some(n(1)? - n(0)?),
        "gets" => Some(n(0)? - n(1)?),
        _ => None,
    }
}

/// The number with this index in a text.
fn number(text: &str, index: usize) -> Option<i64> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    let mut numbers = words.filter(|word| !word.is_empty());
    numbers.nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: &str = "Question: Dan has 10 shells, loses 2, loses 6, finds 3, buys 3 bags of 4. How many shells?\nAnswer:";

    #[test]
    fn right_and_wrong_steps_are_told_apart() {
        let story = Story::read(PROBLEM).expect("a problem");
        let values: Vec<i64> = story.events.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [8, 2, 5, 17]);
        let right = "\n loses 2: 10 - 2 = 8\n loses 6: 8 - 6 = 2\n finds 3: 2 + 3 = 5\n buys 3 bags of 4: 3 * 4 = 12, 5 + 12 = 17\nA: 17";
        assert_eq!(story.check(right), [true; 5]);
        let wrong = "\n loses 2: 10 - 2 = 8\n loses 6: 8 - 6 = 2\n finds 3: 2 + 3 = 5\n buys 3 bags of 4: 5 + 3 = 8\nA: 8";
        assert_eq!(story.check(wrong), [true, true, true, false, false]);
        let skips = "\n loses 6: 10 - 6 = 4\nA: 17";
        assert_eq!(story.check(skips), [false, true]);
    }

    #[test]
    fn every_kind_of_event_is_known() {
        for (event, expected) in [
            ("gives 2 to each of 3 friends", -6),
            ("drops 6 but picks 4 up again", -2),
            ("gets 5 of which 2 are broken", 3),
        ] {
            assert_eq!(change(event), Some(expected), "{event}");
        }
        assert_eq!(Story::read("Question: what?"), None);
    }
}
