//! The token view. In: pairs whose tokens have rewards, weights and shares of the gradient, before and after training.
//! Out: answers whose tokens are coloured, with the number of each token below it.

use maud::{Markup, html};

use super::contents::{Run, Token, TokenPair, TokenValues, TokenView};
use super::numbers::{coordinate, short, signed};
use super::series::letter;

/// The largest absolute values of all tokens, which have the full colour.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    reward: f64,
    weight: f64,
    gradient: f64,
}

impl Scale {
    fn of(views: &[TokenView]) -> Self {
        let values = || {
            let pairs = views.iter().flat_map(|view| &view.pairs);
            let tokens = pairs.flat_map(|pair| pair.chosen.iter().chain(&pair.rejected));
            tokens.flat_map(|token| [token.before, token.after])
        };
        let largest = |of: fn(TokenValues) -> f64| {
            let largest = values().map(of).filter(|v| v.is_finite());
            largest.fold(0.0_f64, |a, b| a.max(b.abs()))
        };
        Self {
            reward: largest(|v| v.reward),
            weight: largest(|v| v.weight.unwrap_or(1.0)),
            gradient: largest(|v| v.gradient),
        }
    }
}

/// The pairs of all runs by token. A pair that several runs have is shown once, with the runs below each other.
pub(super) fn section(runs: &[Run], views: &[TokenView]) -> Markup {
    let pairs = by_pair(views);
    if pairs.is_empty() {
        return html! {};
    }
    let scale = Scale::of(views);
    let is_alone = runs.len() == 1;
    html! {
        section.tokens {
            h2 { "Held-out pairs by token" }
            div.switch role="radiogroup" aria-label="What the colours show" {
                "Show "
                label { input #by-reward type="radio" name="by" checked; " reward" }
                label { input #by-weight type="radio" name="by"; " weight" }
                label { input #by-gradient type="radio" name="by"; " share of the gradient" }
            }
            (legend(views, is_alone, scale))
            @for (number, (pair, of_runs)) in pairs.iter().enumerate() {
                article.pair {
                    h3 { "Pair " (number + 1) }
                    div.text.prompt { (pair.prompt) }
                    @for (run, pair) in of_runs {
                        @if !is_alone {
                            h4 { (letter(*run)) " " @if let Some(run) = runs.get(*run) { (run.name) } }
                        }
                        (rows(pair, scale))
                    }
                }
            }
        }
    }
}

fn legend(views: &[TokenView], is_alone: bool, scale: Scale) -> Markup {
    html! {
        p.note.of-reward {
            "The reward of a token, "
            @for (i, view) in views.iter().enumerate() {
                @if i > 0 { ", " }
                @if !is_alone { (letter(view.run)) ": " }
                (view.reward)
            }
            ". " (example("p", "above 0")) " " (example("n", "below 0")) " Full colour: " (short(scale.reward)) "."
        }
        p.note.of-weight {
            "The weight that the objective gives a token; 1 where it gives none. Full colour: " (short(scale.weight)) "."
        }
        p.note.of-gradient {
            "The share of a token in the gradient of the pair’s loss by the log-probs of its tokens, in percent. "
            (example("p", "training raises its log-prob")) " " (example("n", "training lowers it"))
            " Full colour: " (format!("{:.1} %", 100.0 * scale.gradient)) "."
        }
        p.note { "A token in a " span.toks { i.k { u { "frame" } } } " differs from the other answer." }
    }
}

/// A sample of a colour.
fn example(sign: &str, text: &str) -> Markup {
    html! { span.toks { i class=(format!("r{sign} g{sign}")) style="--r:.7;--g:.7;--w:.7" { u { (text) } } } }
}

/// A pair, and the runs that have it.
type PairOfRuns<'a> = (&'a TokenPair, Vec<(usize, &'a TokenPair)>);

/// The runs of each pair, in the order in which pairs first appear.
fn by_pair(views: &[TokenView]) -> Vec<PairOfRuns<'_>> {
    let texts = |tokens: &[Token]| tokens.iter().map(|t| t.text.as_str()).collect::<String>();
    let is_same = |a: &TokenPair, b: &TokenPair| {
        let answers = |pair: &TokenPair| [texts(&pair.chosen), texts(&pair.rejected)];
        a.prompt == b.prompt && answers(a) == answers(b)
    };
    let mut all: Vec<PairOfRuns<'_>> = Vec::new();
    for view in views {
        for pair in &view.pairs {
            // A run may have the same pair twice.
            let known = all.iter_mut().find(|(first, of_runs)| {
                is_same(first, pair) && of_runs.iter().all(|(run, _)| *run != view.run)
            });
            match known {
                Some((_, of_runs)) => of_runs.push((view.run, pair)),
                None => all.push((pair, vec![(view.run, pair)])),
            }
        }
    }
    all
}

/// The values of a token before or after training.
type Moment = fn(&Token) -> TokenValues;

/// Both answers before and after training.
fn rows(pair: &TokenPair, scale: Scale) -> Markup {
    let moments: [(&str, Moment); 2] = [
        ("before", |token| token.before),
        ("after", |token| token.after),
    ];
    let sum =
        |tokens: &[Token], of: Moment| -> f64 { tokens.iter().map(|token| of(token).reward).sum() };
    html! {
        div.answers {
            @for (name, tokens) in [("chosen", &pair.chosen), ("rejected", &pair.rejected)] {
                @for (when, of) in moments {
                    div.answer {
                        div.who { strong { (name) } " " (when) " training" span.unit { " · reward " (signed(sum(tokens, of), 2)) } }
                        div.toks { @for token in tokens.iter() { (one(token, of(token), scale)) } }
                    }
                }
            }
        }
        p.note {
            "Reward margin: "
            @for (i, (when, of)) in moments.into_iter().enumerate() {
                @if i > 0 { ", " }
                (when) " " (signed(sum(&pair.chosen, of) - sum(&pair.rejected, of), 2))
            }
            "."
        }
    }
}

/// A token with its three numbers. The style sheet shows one of them.
fn one(token: &Token, values: TokenValues, scale: Scale) -> Markup {
    let strength = |value: f64, largest: f64| {
        let share = if largest > 0.0 {
            value.abs() / largest
        } else {
            0.0
        };
        let text = format!("{:.2}", share.clamp(0.0, 1.0));
        coordinate_of_style(&text)
    };
    let sign = |value: f64, largest: f64| match value {
        _ if value.abs() < largest / 200.0 => "z",
        _ if value > 0.0 => "p",
        _ if value < 0.0 => "n",
        _ => "z",
    };
    let weight = values.weight.unwrap_or(1.0);
    let class = format!(
        "{}r{} g{}",
        if token.is_critical { "k " } else { "" },
        sign(values.reward, scale.reward),
        sign(values.gradient, scale.gradient)
    );
    let style = format!(
        "--r:{};--w:{};--g:{}",
        strength(values.reward, scale.reward),
        strength(weight, scale.weight),
        strength(values.gradient, scale.gradient)
    );
    html! {
        i class=(class) style=(style) {
            u { (shown(&token.text)) }
            b { (signed(values.reward, 2)) }
            b { (coordinate_of_weight(weight)) }
            b { (signed(100.0 * values.gradient, 1)) }
        }
        @if token.text.contains('\n') { br; }
    }
}

/// A number of a style without zeros that say nothing.
fn coordinate_of_style(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn coordinate_of_weight(weight: f64) -> String {
    match weight {
        _ if weight.abs() < 10.0 => format!("{weight:.2}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        _ => coordinate(weight),
    }
}

/// The text of a token. Line ends and tabs get signs; a token without a visible character gets one.
fn shown(text: &str) -> String {
    let text = text.replace('\n', "⏎").replace('\t', "⇥");
    match text.is_empty() {
        true => "∅".to_owned(),
        false if text.chars().all(|c| c == ' ') => text.replace(' ', "␣"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, reward: f64) -> Token {
        let values = TokenValues {
            reward,
            weight: Some(1.5),
            gradient: -0.25,
        };
        Token {
            text: text.to_owned(),
            is_critical: true,
            before: TokenValues::default(),
            after: values,
        }
    }

    fn view(run: usize) -> TokenView {
        TokenView {
            run,
            reward: "0.1 · log(π/π_ref)".to_owned(),
            pairs: vec![TokenPair {
                prompt: "1 + 1?".to_owned(),
                chosen: vec![token("2", 0.5)],
                rejected: vec![token("3\n", -1.0)],
            }],
        }
    }

    #[test]
    fn a_token_has_its_numbers_as_text_and_as_strength() {
        let views = [view(0)];
        let scale = Scale::of(&views);
        let token = &views[0].pairs[0].chosen[0];
        let html = one(token, token.after, scale).into_string();
        assert_eq!(
            html,
            "<i class=\"k rp gn\" style=\"--r:0.5;--w:1;--g:1\"><u>2</u><b>+0.50</b><b>1.5</b><b>−25.0</b></i>"
        );
    }

    #[test]
    fn the_same_pair_of_two_runs_is_shown_once() {
        let views = [view(0), view(1)];
        let pairs = by_pair(&views);
        assert_eq!(pairs.len(), 1);
        assert_eq!(pairs[0].1.len(), 2);
    }

    #[test]
    fn tokens_without_visible_characters_are_shown() {
        assert_eq!(["\n", " ", "", " a"].map(shown), ["⏎", "␣", "∅", " a"]);
    }
}
