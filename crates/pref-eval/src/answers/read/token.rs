//! Tokens of an answer. In: a cleaned text. Out: numbers, letters, words, names of commands and signs.

use num_rational::BigRational;

use super::number::{Commas, number_at};

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Whether space comes before it.
    pub(crate) spaced: bool,
    /// Whether it is in `\text{…}`.
    pub(crate) is_text: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A number, and its digits if it is whole and has no separators.
    Number(BigRational, Option<String>),
    /// Letters that stand together; a single letter is usually a variable.
    Word(String),
    /// A LaTeX command without its backslash.
    Command(String),
    /// The begin or the end of an environment.
    Begin(String),
    End(String),
    /// Any other character; relations have the characters `≤`, `≥`, `≠`, `≈`, and a new row is `\n`.
    Sign(char),
}

impl Token {
    pub(crate) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    pub(crate) fn is_command(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Command(command) if command == name)
    }

    /// The word in lower case.
    pub(crate) fn word(&self) -> Option<String> {
        match &self.kind {
            Kind::Word(word) => Some(word.to_lowercase()),
            _ => None,
        }
    }

    pub(crate) fn opens(&self) -> bool {
        matches!(
            self.kind,
            Kind::Sign('(' | '[' | '{' | '⟨') | Kind::Begin(_)
        ) || self.is_command("{")
    }

    pub(crate) fn closes(&self) -> bool {
        matches!(self.kind, Kind::Sign(')' | ']' | '}' | '⟩') | Kind::End(_))
            || self.is_command("}")
    }
}

/// Commands that change only how something looks.
const LOOKS: [&str; 31] = [
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "displaystyle",
    "textstyle",
    "limits",
    "nolimits",
    "quad",
    "qquad",
    "rm",
    "bf",
    "it",
    "boldsymbol",
    "mathit",
    "bm",
    "underline",
    "hline",
    "boxed",
    "fbox",
    "hbox",
    "middle",
    "biggl",
    "biggr",
    "mathop",
];

/// Commands whose argument is text.
const TEXTS: [&str; 16] = [
    "text",
    "textbf",
    "textit",
    "textrm",
    "textsf",
    "texttt",
    "mathrm",
    "mathbf",
    "mathsf",
    "mathtt",
    "mbox",
    "operatorname",
    "emph",
    "textnormal",
    "unit",
    "pmb",
];

/// Divides a cleaned answer into tokens.
pub(crate) fn tokens(text: &str, commas: Commas) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
        spaced: false,
        text_ends: Vec::new(),
        depth: 0,
        commas,
    };
    while lexer.at < text.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    spaced: bool,
    /// The depth of braces at which each open `\text` ends.
    text_ends: Vec<usize>,
    depth: usize,
    commas: Commas,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        self.tokens.push(Token {
            kind,
            spaced: self.spaced,
            is_text: !self.text_ends.is_empty(),
        });
        self.spaced = false;
        self.at += length;
    }

    fn step(&mut self) {
        let Some(c) = self.rest().chars().next() else {
            return;
        };
        if c.is_whitespace() || c == '~' {
            self.spaced = true;
            self.at += c.len_utf8();
        } else if c == '\\' {
            self.command();
        } else if c.is_ascii_digit() || c == '.' {
            self.number();
        } else if c.is_alphabetic() {
            let end = self.rest().find(|c: char| !c.is_alphabetic());
            let word = self.rest()[..end.unwrap_or(self.rest().len())].to_owned();
            let length = word.len();
            self.push(Kind::Word(word), length);
        } else {
            self.sign(c);
        }
    }

    fn number(&mut self) {
        // `(3,500)` has two items, unless the list shows that its commas have a space after them.
        let commas = match self.commas {
            Commas::Thousands if self.is_tight_list() => Commas::Items,
            commas => commas,
        };
        let Some(written) = number_at(self.rest(), commas) else {
            let is_ellipsis = self.rest().starts_with("...");
            let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
            match (is_ellipsis, digits) {
                (true, _) => self.push(Kind::Command("ldots".to_owned()), 3),
                (false, 0) => self.push(Kind::Sign('.'), 1),
                // Too long to be read.
                (false, n) => self.push(Kind::Command("digits".to_owned()), n),
            }
            return;
        };
        // `x_12` and `\frac12`, `2^10`: one digit is the argument, unless braces say otherwise.
        let takes_one = self.tokens.iter().rev().take(2).any(|token| {
            token.is_command("frac") || token.is_command("binom") || token.is_command("sqrt")
        }) && !self.spaced_argument();
        if takes_one {
            let digit = self.rest()[..1].to_owned();
            if let Ok(value) = digit.parse::<i64>() {
                self.push(
                    Kind::Number(BigRational::from_integer(value.into()), Some(digit)),
                    1,
                );
                return;
            }
        }
        let length = written.length;
        let digits = written.plain.then(|| self.rest()[..length].to_owned());
        let digits = digits.map(|digits| digits.trim().to_owned());
        self.push(Kind::Number(written.number, digits), length);
    }

    /// Whether the number is not a bare argument of the command before it: `\frac12` and `\frac 1 2` have one-digit
    /// arguments, `\frac{1}23` has the second argument 2, and `\sqrt12` is the root of 12 in most answers.
    fn spaced_argument(&self) -> bool {
        let n = self.tokens.len();
        let last = &self.tokens[n - 1];
        let is_frac = |token: &Token| token.is_command("frac") || token.is_command("binom");
        if last.is_command("sqrt") {
            return true;
        }
        if is_frac(last) {
            return false;
        }
        // The second argument, after a first one of one digit.
        !(n >= 2
            && is_frac(&self.tokens[n - 2])
            && matches!(last.kind, Kind::Number(..) | Kind::Word(_)))
    }

    /// Whether the position is in brackets, where no comma is followed by a space.
    fn is_tight_list(&self) -> bool {
        if !self.tokens.iter().any(Token::opens) {
            return false;
        }
        let (mut depth, mut start) = (0_usize, None);
        for (i, c) in self.text[..self.at].char_indices().rev() {
            match c {
                ')' | ']' | '}' => depth += 1,
                '(' | '[' | '{' if depth == 0 => {
                    start = Some(i + 1);
                    break;
                }
                '(' | '[' | '{' => depth -= 1,
                _ => {}
            }
        }
        let Some(start) = start else {
            return false;
        };
        let end = self
            .rest()
            .find([')', ']', '}'])
            .unwrap_or(self.rest().len());
        !self.text[start..self.at + end].contains(", ")
    }

    fn command(&mut self) {
        let rest = &self.rest()[1..];
        let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        if name.is_empty() {
            let Some(c) = rest.chars().next() else {
                self.at += 1;
                return;
            };
            let length = 1 + c.len_utf8();
            match c {
                '\\' => self.push(Kind::Sign('\n'), length),
                '{' | '}' => {
                    // Braces of a set; the others only group.
                    self.push(Kind::Command(c.to_string()), length);
                }
                '%' | '&' | '#' | '_' => self.push(Kind::Sign(c), length),
                '|' => self.push(Kind::Sign('|'), length),
                '!' => self.at += length,
                _ => {
                    self.spaced = true;
                    self.at += length;
                }
            }
            return;
        }
        let length = 1 + name.len();
        if LOOKS.contains(&name.as_str()) {
            self.at += length;
            // `\left.` has no bracket.
            if matches!(name.as_str(), "left" | "right") && self.rest().starts_with('.') {
                self.at += 1;
            }
            self.spaced = true;
            return;
        }
        if TEXTS.contains(&name.as_str()) {
            let after = self.rest()[length..].trim_start();
            let skipped = self.rest().len() - length - after.len();
            if after.starts_with('{') {
                self.at += length + skipped + 1;
                self.depth += 1;
                self.text_ends.push(self.depth);
                self.spaced = true;
                return;
            }
            self.at += length;
            return;
        }
        if name == "begin" || name == "end" {
            let inner = self.rest()[length..]
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .map(|(inner, _)| inner.to_owned());
            if let Some(inner) = inner {
                let length = length + inner.len() + 2;
                match name == "begin" {
                    true => self.push(Kind::Begin(inner), length),
                    false => self.push(Kind::End(inner), length),
                }
                return;
            }
        }
        let kind = match name.as_str() {
            "dfrac" | "tfrac" | "cfrac" | "nicefrac" => Kind::Command("frac".to_owned()),
            "dbinom" | "tbinom" => Kind::Command("binom".to_owned()),
            "cdot" | "times" | "ast" | "bullet" => Kind::Sign('*'),
            "div" => Kind::Sign('/'),
            "le" | "leq" | "leqslant" => Kind::Sign('≤'),
            "ge" | "geq" | "geqslant" => Kind::Sign('≥'),
            "ne" | "neq" => Kind::Sign('≠'),
            "lt" => Kind::Sign('<'),
            "gt" => Kind::Sign('>'),
            "approx" | "simeq" | "doteq" => Kind::Sign('≈'),
            "langle" => Kind::Sign('⟨'),
            "rangle" => Kind::Sign('⟩'),
            "lbrack" => Kind::Sign('['),
            "rbrack" => Kind::Sign(']'),
            "lparen" => Kind::Sign('('),
            "rparen" => Kind::Sign(')'),
            "lbrace" => Kind::Command("{".to_owned()),
            "rbrace" => Kind::Command("}".to_owned()),
            "mid" | "vert" | "lvert" | "rvert" => Kind::Sign('|'),
            "colon" => Kind::Sign(':'),
            "pounds" => Kind::Sign('£'),
            "euro" => Kind::Sign('€'),
            "textdollar" => Kind::Sign('$'),
            "percent" => Kind::Sign('%'),
            "dots" | "cdots" => Kind::Command("ldots".to_owned()),
            "varnothing" => Kind::Command("emptyset".to_owned()),
            "to" | "rightarrow" | "implies" | "Rightarrow" => Kind::Sign('→'),
            _ => Kind::Command(name),
        };
        self.push(kind, length);
    }

    fn sign(&mut self, c: char) {
        match c {
            '{' => self.depth += 1,
            '}' => {
                if self.text_ends.last() == Some(&self.depth) {
                    self.text_ends.pop();
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                    self.spaced = true;
                    return;
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
        let two = match self.rest().get(..2) {
            Some("<=") => Some('≤'),
            Some(">=") => Some('≥'),
            Some("!=") => Some('≠'),
            Some("**") => Some('^'),
            Some("==") => Some('='),
            _ => None,
        };
        match two {
            Some(sign) => self.push(Kind::Sign(sign), 2),
            None => self.push(Kind::Sign(c), c.len_utf8()),
        }
    }
}
