//! Dates and times of day. In: the text of an answer. Out: a date or a time.

use crate::answers::answer::Answer;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The date or the time that the whole text is.
pub(super) fn date_or_time(text: &str) -> Option<Answer> {
    if text.len() > 40 {
        return None;
    }
    let text = text
        .to_lowercase()
        .replace("\\text", " ")
        .replace(['{', '}'], " ");
    time(&text)
        .or_else(|| iso_date(&text))
        .or_else(|| named_date(&text))
}

/// `3:05`, `3:30 pm`, `15:30`, `3 p.m.`; other pairs of numbers are ratios.
fn time(text: &str) -> Option<Answer> {
    let text = text.replace('.', "");
    let text = text.trim();
    let (clock, half) = match text.strip_suffix("pm") {
        Some(clock) => (clock, Some(true)),
        None => match text.strip_suffix("am") {
            Some(clock) => (clock, Some(false)),
            None => (text, None),
        },
    };
    let (hours, minutes) = match clock.trim().split_once(':') {
        Some((hours, minutes)) => (hours.trim(), minutes.trim()),
        None => (clock.trim(), "00"),
    };
    if minutes.len() != 2 || hours.is_empty() || hours.len() > 2 {
        return None;
    }
    // `3:05` is a time even without am or pm, `3:30` may be a ratio.
    if half.is_none() && (!minutes.starts_with('0') || !clock.contains(':')) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 24 || minutes > 59 {
        return None;
    }
    let hours = match half {
        Some(_) if hours > 12 => return None,
        Some(true) => hours % 12 + 12,
        Some(false) => hours % 12,
        None => hours,
    };
    Some(Answer::Time(hours * 60 + minutes, half.is_some()))
}

/// `2020-03-05`
fn iso_date(text: &str) -> Option<Answer> {
    let mut parts = text.trim().split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    date(
        Some(year.parse().ok()?),
        month.parse().ok()?,
        day.parse().ok()?,
    )
}

/// `March 5, 2020`, `5 March 2020`, `Mar 5th`
fn named_date(text: &str) -> Option<Answer> {
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !matches!(*word, "of" | "the"))
        .collect();
    if !(2..=3).contains(&words.len()) {
        return None;
    }
    let (mut month, mut day, mut year) = (None, None, None);
    for word in words {
        let digits = ["st", "nd", "rd", "th"]
            .iter()
            .find_map(|end| word.strip_suffix(end))
            .unwrap_or(word);
        if let Ok(number) = digits.parse::<u32>() {
            match (number <= 31, day, year) {
                (true, None, _) => day = Some(number),
                (_, _, None) => year = i32::try_from(number).ok(),
                _ => return None,
            }
        } else {
            let found = MONTHS.iter().position(|name| {
                *name == word || (word.len() >= 3 && word.len() <= 4 && name.starts_with(word))
            })?;
            if month.is_some() {
                return None;
            }
            month = Some(found as u32 + 1);
        }
    }
    date(year, month?, day?)
}

fn date(year: Option<i32>, month: u32, day: u32) -> Option<Answer> {
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then_some(Answer::Date(year, month, day))
}
