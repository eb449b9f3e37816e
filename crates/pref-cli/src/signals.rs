//! Signals that ask a run to stop. In: SIGINT (Ctrl-C), SIGTERM, SIGHUP (a closed terminal). Out: a
//! flag that the run reads between two batches. A signal that was already ignored when the program
//! started, as under `nohup`, stays ignored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use crate::progress;

/// Exit code of a run that was interrupted and can be resumed.
pub(crate) const INTERRUPTED: u8 = 130;

/// The flag that asks a run to stop. The first signal sets it, and the run stops after its current step. The
/// second signal ends the process at once. Commands that run one after the other in a process have one flag.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = FLAG.get() {
        return Ok(Arc::clone(flag));
    }
    let ignored = ignored::signals();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        progress::note("stopping after this step or batch; press Ctrl-C again to stop at once");
    })
    .context("cannot listen for Ctrl-C")?;
    ignored::ignore_again(&ignored);
    // Commands run one after the other, so no other thread has set it.
    Ok(Arc::clone(FLAG.get_or_init(|| stop)))
}

#[cfg(unix)]
mod ignored {
    use std::mem::MaybeUninit;

    /// The signals that `ctrlc` installs a handler for.
    const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

    /// The signals in [`SIGNALS`] that this process ignores.
    pub(super) fn signals() -> Vec<libc::c_int> {
        let is_ignored = |&signal: &libc::c_int| {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: with a null pointer for the new action, the call only writes the present action
            // to `action`. That memory has the right type, and it is zeroed, so it is initialised
            // even if the call fails.
            #[expect(unsafe_code, reason = "asking for a signal's action is a C function")]
            unsafe {
                let asked = libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
                asked == 0 && action.assume_init().sa_sigaction == libc::SIG_IGN
            }
        };
        SIGNALS.into_iter().filter(is_ignored).collect()
    }

    /// Makes the process ignore these signals again, after `ctrlc` has installed a handler for them.
    pub(super) fn ignore_again(signals: &[libc::c_int]) {
        for &signal in signals {
            // SAFETY: SIG_IGN is a valid action, and it calls no code of this program.
            #[expect(unsafe_code, reason = "ignoring a signal is a C function")]
            unsafe {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
    }
}

#[cfg(not(unix))]
mod ignored {
    pub(super) fn signals() -> Vec<i32> {
        Vec::new()
    }

    pub(super) fn ignore_again(_signals: &[i32]) {}
}
