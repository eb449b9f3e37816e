//! The settings that `pref` takes from the environment. In: environment variables. Out: their
//! values, without secrets, and the folder of the Hugging Face hub.

use std::path::PathBuf;

use serde::Serialize;

/// Variables that change what `pref` does. The CUDA driver reads `CUDA_VISIBLE_DEVICES`. Burn reads
/// `CUBECL_WGPU_DEFAULT_DEVICE`.
const VARIABLES: [&str; 6] = [
    "RAYON_NUM_THREADS",
    "HF_HOME",
    "HF_ENDPOINT",
    "NO_COLOR",
    "CUDA_VISIBLE_DEVICES",
    "CUBECL_WGPU_DEFAULT_DEVICE",
];

/// The access token of the hub, which is never shown.
const TOKEN: &str = "HF_TOKEN";

/// One environment variable.
#[derive(Serialize)]
pub(super) struct Variable {
    name: &'static str,
    is_set: bool,
    /// `null` if the variable is not set, or is a secret.
    value: Option<String>,
    /// A remark for the user.
    note: Option<&'static str>,
}

/// Where files of the hub are kept.
#[derive(Serialize)]
pub(super) struct Cache {
    /// `null` if the user has no home folder.
    folder: Option<PathBuf>,
    folder_exists: bool,
    /// The file with the access token, which `huggingface-cli login` writes.
    token_file: Option<PathBuf>,
    token_file_exists: bool,
}

/// The variables that matter, set or not.
pub(super) fn variables() -> Vec<Variable> {
    let shown = VARIABLES.into_iter().map(|name| {
        let value = std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Variable {
            name,
            is_set: value.is_some(),
            value,
            note: None,
        }
    });
    let token = Variable {
        name: TOKEN,
        is_set: std::env::var_os(TOKEN).is_some(),
        value: None,
        note: Some("used instead of the hub's token file"),
    };
    shown.chain([token]).collect()
}

/// The hub's folder, which is `$HF_HOME`, or `~/.cache/huggingface`.
pub(super) fn hub() -> Cache {
    let home = match std::env::var_os("HF_HOME") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => std::env::home_dir().map(|home| home.join(".cache").join("huggingface")),
    };
    let folder = home.as_ref().map(|home| home.join("hub"));
    let token_file = home.map(|home| home.join("token"));
    Cache {
        folder_exists: folder.as_ref().is_some_and(|folder| folder.is_dir()),
        folder,
        token_file_exists: token_file.as_ref().is_some_and(|file| file.is_file()),
        token_file,
    }
}

impl Variable {
    pub(super) fn line(&self) -> (String, String) {
        let value = match (&self.value, self.is_set) {
            (Some(value), _) => value.clone(),
            (None, true) => "set".to_owned(),
            (None, false) => "not set".to_owned(),
        };
        let text = match self.note {
            Some(note) if self.is_set => format!("{value}; {note}"),
            Some(_) | None => value,
        };
        (self.name.to_owned(), text)
    }
}

impl Cache {
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let line = |label: &str, path: &Option<PathBuf>, exists: bool| {
            let text = match (path, exists) {
                (Some(path), true) => path.display().to_string(),
                (Some(path), false) => format!("{} (does not exist yet)", path.display()),
                (None, _) => "unknown, since there is no home folder".to_owned(),
            };
            (label.to_owned(), text)
        };
        vec![
            line("hub cache", &self.folder, self.folder_exists),
            line("hub token file", &self.token_file, self.token_file_exists),
        ]
    }
}
