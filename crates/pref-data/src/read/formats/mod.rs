//! Readers of formats. In: the bytes of a file. Out: its rows as JSON objects, one at a time.

mod arrow;
mod binary;
mod csv;
mod json_lines;
mod json_list;
mod parquet;

pub(super) use arrow::arrow_rows;
pub(super) use csv::csv_rows;
pub(super) use json_lines::json_lines;
pub(super) use json_list::json_list;
pub(super) use parquet::parquet_rows;
