//! What AlpacaEval 2 knows about its own questions. In: its file `df_gamed.csv`. Out: the difficulty of each question, and
//! comparisons of its baseline with shorter and longer variants of itself.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pref_data::read_rows;
use pref_eval::GamedDuel;
use serde_json::{Map, Value};

use super::annotation::number;

/// Difficulties and gamed comparisons; none by default.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    /// The difficulty of each question, by its place among the questions.
    difficulty: HashMap<usize, f64>,
    pub(super) gamed: Vec<GamedDuel>,
}

impl Calibration {
    /// Reads `df_gamed.csv`, or `instruction_difficulty.csv`, which has difficulties only.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut read = Self::default();
        for row in read_rows(path)? {
            let row = row?;
            let place = || format!("{}:{}", row.path.display(), row.line);
            read.add(&row.object).with_context(place)?;
        }
        ensure!(
            !read.difficulty.is_empty(),
            "{}: no rows; expected the columns index and instruction_difficulty",
            path.display()
        );
        Ok(read)
    }

    fn add(&mut self, row: &Map<String, Value>) -> Result<()> {
        let needed = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| row.get(*name));
            match value.map(|value| (value, number(value))) {
                Some((_, Some(number))) => Ok(number),
                Some((value, None)) => bail!("`{}` is {value}; expected a number", names[0]),
                None => bail!(
                    "no column `{}`; expected AlpacaEval's df_gamed.csv with index, instruction_difficulty, preference and std_delta_len",
                    names[0]
                ),
            }
        };
        // pandas writes an index without a name.
        let index = needed(["index", ""])?;
        ensure!(
            index >= 0.0 && index.fract() == 0.0,
            "`index` is {index}; expected the number of a question, from 0"
        );
        let difficulty = needed(["instruction_difficulty", "0"])?;
        self.difficulty.entry(index as usize).or_insert(difficulty);
        if row.contains_key("std_delta_len") {
            self.gamed.push(GamedDuel {
                preference: needed(["preference", "preference"])?,
                length_difference: needed(["std_delta_len", "std_delta_len"])?,
                difficulty,
            });
        }
        Ok(())
    }

    /// The difficulty of the question with this number, from 0.
    pub(super) fn difficulty(&self, index: usize) -> Option<f64> {
        self.difficulty.get(&index).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.difficulty.is_empty()
    }
}
