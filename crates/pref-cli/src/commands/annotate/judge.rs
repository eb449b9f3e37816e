//! The judge that `--judge` names. In: a URL, `local:FOLDER`, `model:FOLDER`, `rules:NAME` or `replay`. Out: a judge that
//! can be asked.

use std::path::Path;

use anyhow::{Context, Result, bail};
use pref_annotate::{AnnotateSettings, Basis, ChatJudge, Judge, Rules, Store};
use tokio::runtime::Runtime;

use super::local::{LocalJudge, LocalOptions};
use super::reward::RewardJudge;
use crate::device::Device;

/// A judge.
pub(crate) enum AnyJudge {
    Chat(Box<ChatJudge>),
    Rules(Rules),
    /// A decoder in this process.
    Local(LocalJudge),
    /// A reward model in this process.
    Reward(RewardJudge),
    /// The replies of a model in the store, and nobody who is asked.
    Replay(String),
}

impl AnyJudge {
    /// The judge of the settings. A server is checked, and no question is asked.
    pub(crate) fn new(
        settings: &AnnotateSettings,
        store: &Store,
        runtime: &Runtime,
        device: Device,
    ) -> Result<Self> {
        let name = settings.judge.name.as_deref().context(
            "no judge; give --judge with the URL of a chat server such as http://localhost:8000/v1, local:FOLDER, model:FOLDER, rules:gsm8k, rules:arithmetic or replay",
        )?;
        if let Some(rules) = name.strip_prefix("rules:") {
            return Ok(Self::Rules(rules.parse()?));
        }
        if let Some(folder) = name.strip_prefix("local:") {
            let options = LocalOptions {
                sampling: settings.sampling(),
                most_tokens: settings.request.most_tokens,
                most_texts: settings.concurrency.most as usize,
            };
            return Ok(Self::Local(LocalJudge::load(
                Path::new(folder),
                device,
                options,
            )?));
        }
        if let Some(folder) = name.strip_prefix("model:") {
            return Ok(Self::Reward(RewardJudge::load(Path::new(folder), device)?));
        }
        if name == "replay" {
            return replay(settings, store);
        }
        if name.starts_with("http://") || name.starts_with("https://") {
            let options = settings.chat_options(name)?;
            let judge = runtime.block_on(ChatJudge::connect(&options))?;
            return Ok(Self::Chat(Box::new(judge)));
        }
        bail!(
            "{name} is no judge; expected the URL of a chat server, such as http://localhost:8000/v1, or local:FOLDER, model:FOLDER, rules:gsm8k, rules:arithmetic or replay"
        )
    }

    pub(crate) fn model(&self) -> &str {
        match self {
            Self::Chat(judge) => judge.model(),
            Self::Rules(rules) => rules.model(),
            Self::Local(judge) => judge.model(),
            Self::Reward(judge) => judge.model(),
            Self::Replay(model) => model,
        }
    }

    pub(super) fn basis(&self) -> Basis {
        match self {
            Self::Chat(judge) => judge.basis(),
            Self::Rules(rules) => rules.basis(),
            Self::Local(judge) => judge.basis(),
            Self::Reward(judge) => judge.basis(),
            Self::Replay(_) => Basis::Messages,
        }
    }
}

fn replay(settings: &AnnotateSettings, store: &Store) -> Result<AnyJudge> {
    if let Some(model) = &settings.judge.model {
        return Ok(AnyJudge::Replay(model.clone()));
    }
    let mut models: Vec<String> = store.jobs()?.into_iter().map(|job| job.model).collect();
    models.sort();
    models.dedup();
    // Their questions have no messages.
    models.retain(|model| !model.starts_with("rules:") && !model.starts_with("model:"));
    match &models[..] {
        [only] => Ok(AnyJudge::Replay(only.clone())),
        [] => bail!(
            "{}: the store has no replies of a model to replay",
            store.path().display()
        ),
        _ => bail!(
            "the store has replies of several models; choose one with --judge-model: {}",
            models.join(", ")
        ),
    }
}
