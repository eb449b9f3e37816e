//! Panics as errors, for Burn's GPU backends, which panic if there is no driver or no device. In:
//! work. Out: its result, or the message of the first panic.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

/// PaddedLength message that is passed on, in characters.
const MAX_LENGTH: usize = 100;

/// Runs `work`. If it panics, the first line of the first panic is the error.
///
/// The cause is the first panic, often on a thread of the driver. The panic that reaches this
/// thread only says that the other thread has ended.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let first: Arc<Mutex<Option<String>>> = Arc::default();
    let seen = Arc::clone(&first);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if let Ok(mut first) = seen.lock() {
            first.get_or_insert_with(|| info.payload_as_str().unwrap_or_default().to_owned());
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    result.map_err(|_| {
        let message = first.lock().ok().and_then(|mut first| first.take());
        match message.unwrap_or_default().lines().next() {
            Some(line) if !line.is_empty() => line.chars().take(MAX_LENGTH).collect(),
            _ => "the driver gave no reason".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_first_panic_is_the_error() {
        assert_eq!(caught(|| 3), Ok(3));
        let on_another_thread = || {
            let other = std::thread::spawn(|| panic!("no driver\nsecond line"));
            assert!(other.join().is_ok(), "the other thread has ended");
        };
        assert_eq!(caught(on_another_thread), Err("no driver".to_owned()));
        assert!(caught(|| std::panic::panic_any(7)).is_err());
    }
}
