//! Tests of training: plans, whole runs, resuming, and runs beside those of TRL.
//!
//! They are one program, because every program would compile the whole of training once more.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod base_model;
mod checkpoints;
mod common;
mod families;
mod lora;
mod optimizers;
mod own_policy;
mod plans;
mod reference_sync;
mod resume;
mod rewards;
mod runs;
mod sets;
mod sft;
mod tensorboard;
mod trajectories;
