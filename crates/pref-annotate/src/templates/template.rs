//! A template. In: a TOML file with texts in Jinja. Out: turns with the values of a row.

use std::collections::HashSet;
use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::builtin::TemplateKind;
use crate::request::{ChatMessage, Role};

/// A template cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("{name}: {source}")]
    File {
        /// The file.
        name: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no template.
    #[error("{name}: {message}")]
    Syntax {
        /// The file.
        name: String,
        /// What is wrong, and where.
        message: String,
    },
    /// A text uses a variable that there is not.
    #[error("{name}: `{part}` uses the unknown variable `{variable}`; it can use {known}")]
    Variable {
        /// The file.
        name: String,
        /// `system`, `user` or `repair`.
        part: &'static str,
        /// The variable.
        variable: String,
        /// The variables that there are.
        known: String,
    },
    /// An aspect cannot be used.
    #[error("{name}: the aspect `{aspect}` {message}")]
    Aspect {
        /// The file.
        name: String,
        /// The aspect.
        aspect: String,
        /// What is wrong with it.
        message: String,
    },
    /// The aspects are not those that training reads.
    #[error(
        "{name}: the aspects are {found}; training needs {expected}, in any order, and other aspects may be added"
    )]
    Aspects {
        /// The file.
        name: String,
        /// The aspects of the file.
        found: String,
        /// The aspects that are needed.
        expected: String,
    },
}

/// One aspect in which segments are scored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Aspect {
    /// The name.
    pub name: String,
    /// The scores that are allowed, in ascending order, from 0 to 4.
    pub scale: Vec<i64>,
    /// Whether scores must not decrease along an answer.
    #[serde(default)]
    pub never_decreases: bool,
    /// What counts.
    pub criteria: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: u32,
    system: String,
    user: String,
    repair: String,
    #[serde(default)]
    aspects: Vec<Aspect>,
}

/// Instructions, a question and the request to repair a reply, with places for the values of a row.
///
/// Values are put in as they are. A value with `{{ … }}` in it is text, and not a template.
#[derive(Debug)]
pub struct Template {
    /// Name and version, such as `scores@1`, which are part of the key of every question.
    pub version: String,
    /// The first 16 hexadecimal digits of the SHA-256 of the file.
    pub hash: String,
    /// The aspects, if the template has any.
    pub aspects: Vec<Aspect>,
    source: String,
    environment: Environment<'static>,
}

/// Steps that rendering may take.
const FUEL: u64 = 1_000_000;

impl Template {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TemplateError`] if it cannot be read, is no TOML with these fields, or uses unknown variables.
    pub fn from_file(kind: TemplateKind, path: &Path) -> Result<Self, TemplateError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| TemplateError::File {
            name: name.clone(),
            source,
        })?;
        Self::parse(kind, &text, &name)
    }

    pub(super) fn parse(kind: TemplateKind, text: &str, name: &str) -> Result<Self, TemplateError> {
        let syntax = |message: String| TemplateError::Syntax {
            name: name.to_owned(),
            message,
        };
        let file: File = toml::from_str(text).map_err(|error| syntax(error.to_string()))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if file.name.is_empty() || !file.name.chars().all(is_name) {
            return Err(syntax(format!(
                "`name` is {:?}; expected letters, digits, `-` and `_`",
                file.name
            )));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        let [system, user] = kind.variables();
        for (part, text, known) in [
            ("system", file.system, system),
            ("user", file.user, user),
            ("repair", file.repair, &["complaint"]),
        ] {
            environment
                .add_template_owned(part, text)
                .map_err(|error| syntax(format!("`{part}`: {error:#}")))?;
            let template = environment.get_template(part);
            let used: HashSet<String> =
                template.map_or_else(|_| HashSet::new(), |t| t.undeclared_variables(false));
            let mut unknown: Vec<&String> = used
                .iter()
                .filter(|name| !known.contains(&name.as_str()))
                .collect();
            unknown.sort();
            if let Some(variable) = unknown.first() {
                return Err(TemplateError::Variable {
                    name: name.to_owned(),
                    part,
                    variable: (*variable).clone(),
                    known: match known.is_empty() {
                        true => "no variables".to_owned(),
                        false => known.join(", "),
                    },
                });
            }
        }
        if kind != TemplateKind::Scores && !file.aspects.is_empty() {
            return Err(syntax("only the template of scores has aspects".to_owned()));
        }
        check_aspects(name, &file.aspects)?;
        let digest = Sha256::digest(text);
        Ok(Self {
            version: format!("{}@{}", file.name, file.version),
            hash: digest[..8].iter().map(|b| format!("{b:02x}")).collect(),
            aspects: file.aspects,
            source: name.to_owned(),
            environment,
        })
    }

    /// The file, for messages.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The turns of a question.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] if the template fails with these values.
    pub(crate) fn messages(
        &self,
        system: Value,
        user: Value,
    ) -> Result<Vec<ChatMessage>, TemplateError> {
        Ok(vec![
            ChatMessage::new(Role::System, self.render("system", system)?),
            ChatMessage::new(Role::User, self.render("user", user)?),
        ])
    }

    /// The request to repair a reply.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] if the template fails.
    pub fn repair(&self, complaint: &str) -> Result<String, TemplateError> {
        self.render("repair", minijinja::context! { complaint })
    }

    fn render(&self, part: &str, values: Value) -> Result<String, TemplateError> {
        let rendered = self
            .environment
            .get_template(part)
            .and_then(|template| template.render(values));
        let text = rendered.map_err(|error| TemplateError::Syntax {
            name: self.source.clone(),
            message: format!("`{part}`: {error:#}"),
        })?;
        Ok(text.trim().to_owned())
    }
}

impl TemplateKind {
    /// The template that is used by default.
    ///
    /// # Errors
    /// None: a test reads all of them.
    pub fn template(self) -> Result<Template, TemplateError> {
        Template::parse(self, self.text(), self.name())
    }
}

fn check_aspects(name: &str, aspects: &[Aspect]) -> Result<(), TemplateError> {
    for (i, aspect) in aspects.iter().enumerate() {
        let wrong = |message: &str| TemplateError::Aspect {
            name: name.to_owned(),
            aspect: aspect.name.clone(),
            message: message.to_owned(),
        };
        if aspects[..i].iter().any(|other| other.name == aspect.name) {
            return Err(wrong("is there twice"));
        }
        let is_ascending = aspect.scale.windows(2).all(|two| two[0] < two[1]);
        let is_in_range = aspect.scale.iter().all(|score| (0..=4).contains(score));
        if aspect.scale.len() < 2 || !is_ascending || !is_in_range {
            return Err(wrong(
                "needs a scale of at least two whole numbers from 0 to 4 in ascending order, which is what training reads",
            ));
        }
    }
    Ok(())
}
