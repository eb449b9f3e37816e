//! Tests of annotation. In: servers of this process that behave well or badly, and the judges. Out: what is in the store
//! and in the output.

mod batch;
mod batch_server;
mod kill;
mod misbehaving;
mod reading;
mod rules;
mod samples;
mod scores;
#[allow(dead_code, reason = "the tests of pref-cli use the rest")]
mod server;
mod set_up;
mod store;
