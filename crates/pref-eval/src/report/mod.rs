//! Pages about runs. In: numbers and texts of runs. Out: one HTML file with inline SVG that opens without any request.

mod axis;
mod contents;
mod curve;
mod evaluations;
mod numbers;
mod page;
mod panels;
mod series;
mod settings;
mod shares;
mod table;
mod tokens;

pub use contents::{
    DifferenceRow, EvaluatedPair, MetricsRow, Report, RowTable, Run, ShareRow, ShareTable, Token,
    TokenPair, TokenValues, TokenView,
};
