//! Panics of the crates that parse what users give, which some damaged input makes them do.
//! In: a call. Out: its result, or the panic's message.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls code that may panic on bad input. Whatever it was working on is not to be used after
/// that: it may be half changed.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").to_owned()
    })
}

/// Whether a panic is one that is caught, and becomes an error that says what is wrong: a program's
/// panic hook need not report it.
///
/// ```
/// let default = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |info| {
///     if !pref_data::is_caught_panic(info) {
///         default(info);
///     }
/// }));
/// ```
pub fn is_caught_panic(info: &std::panic::PanicHookInfo<'_>) -> bool {
    const CRATES: [&str; 3] = ["/parquet-", "/arrow-", "/minijinja-"];
    let is_theirs = |at: &std::panic::Location<'_>| CRATES.iter().any(|c| at.file().contains(c));
    info.location().is_some_and(is_theirs)
}
