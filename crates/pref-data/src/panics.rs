//! Turns panics of other libraries into errors. Some libraries that parse users' files and
//! templates panic on damaged input. In: a call. Out: its result, or the message of the panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls code that may panic on bad input, and returns the panic's message as an error. After an
/// error, do not use the values that the call was changing: they may be only partly changed.
pub(crate) fn catch_panic<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").to_owned()
    })
}

/// Whether this crate catches the panic and returns an error instead. A program's panic hook can
/// ignore such panics, because the error is reported anyway.
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
    let is_from_crate =
        |at: &std::panic::Location<'_>| CRATES.iter().any(|c| at.file().contains(c));
    info.location().is_some_and(is_from_crate)
}
