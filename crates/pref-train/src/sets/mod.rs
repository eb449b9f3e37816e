//! The rows of a run. In: the files of a plan and a tokenizer. Out: every data set as token ids, with the
//! features that the objective needs. Memory holds a few numbers of each row; the ids are read on demand.

mod collect;
mod data_set;
mod examples;
mod mismatch;
mod packing;
mod read;
mod requirements;
mod row;
mod skip;
mod store;

pub(crate) use data_set::{DataSet, PerSet};
pub(crate) use examples::Examples;
pub(crate) use read::read_sets;
pub(crate) use requirements::scored_segments;
pub(crate) use row::{AnswerRow, PairRow, RowBatch};
pub(crate) use skip::skipped_rows;
pub(crate) use store::map;
