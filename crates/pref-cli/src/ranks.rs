//! The processes that `mpirun` or `srun` started together. In: variables of the environment. Out: the ranks of a
//! command, and the threads and the GPU of each.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::OnceLock;

use anyhow::{Result, bail};
use pref_train::{Alone, Launch, Ranks, RanksError};

use crate::progress;

/// The number of this process among the ranks of its machine, which is the number of its GPU.
static NUMBER_ON_MACHINE: OnceLock<usize> = OnceLock::new();

/// The number of this process among the ranks of its machine, from 0.
#[cfg(feature = "cuda")]
pub(crate) fn number_on_machine() -> usize {
    NUMBER_ON_MACHINE.get().copied().unwrap_or(0)
}

/// How a command can run on several processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The processes divide its work.
    Divided,
    /// It is one process.
    Single,
    /// Each process does the same.
    Each,
}

/// The ranks of a command. A process that was started alone is the only one.
///
/// # Errors
/// If several processes were started and the command or this program cannot divide its work.
pub(crate) fn start(command: Use) -> Result<Rc<dyn Ranks>> {
    let launch = Launch::of_environment().filter(|_| command != Use::Each);
    let Some(launch) = launch else {
        return Ok(Rc::new(Alone));
    };
    // Every process comes here, and one message is enough.
    progress::set_silent(launch.rank > 0);
    if command == Use::Single {
        bail!(
            "{} = {}: this command is one process, and cannot divide its work; start it without mpirun or srun",
            launch.variable,
            launch.size
        );
    }
    let ranks = connect(launch)?;
    progress::set_silent(!ranks.is_first());
    share_machine(&*ranks)?;
    Ok(ranks)
}

#[cfg(feature = "mpi")]
fn connect(launch: Launch) -> Result<Rc<dyn Ranks>> {
    Ok(Rc::new(pref_train::MpiRanks::start(launch)?))
}

#[cfg(not(feature = "mpi"))]
fn connect(launch: Launch) -> Result<Rc<dyn Ranks>> {
    bail!(
        "{} = {}: {1} processes were started, but this `pref` was built without MPI, so each would do all the work and write the same files; build it with `cargo build --release -p pref-cli --features mpi`, which needs an MPI library and libclang (on Debian libopenmpi-dev and libclang-dev), or start one process",
        launch.variable,
        launch.size
    )
}

/// Tells the other ranks how a command ended here. The result is the exit code.
pub(crate) fn finish(result: Result<ExitCode>, ranks: &dyn Ranks) -> ExitCode {
    let result = match result {
        // No rank ends MPI while another still needs it.
        Ok(code) => ranks.meet().map(|()| code).map_err(anyhow::Error::from),
        Err(error) => {
            ranks.fail(&progress::text_of(&error));
            Err(error)
        }
    };
    match result {
        Ok(code) => code,
        // It is not an error if the reader of the output closes it, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Rank 0 also learns of the errors of the others, and reports them.
            if ranks.is_first() {
                progress::error(&error);
            }
            ExitCode::FAILURE
        }
    }
}

/// Whether an error comes from an output that its reader has closed.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Divides the threads of a machine among the ranks that share its cores, unless `RAYON_NUM_THREADS` is set, and
/// counts the ranks of the machine.
fn share_machine(ranks: &dyn Ranks) -> Result<(), RanksError> {
    let machine = read("/proc/sys/kernel/random/boot_id");
    let cores = allowed_cores();
    let all = ranks.share((machine.clone(), cores.clone()))?;
    let on_machine = || all.iter().filter(|(other, _)| *other == machine);
    let before = all[..ranks.rank()]
        .iter()
        .filter(|(other, _)| *other == machine);
    let _ = NUMBER_ON_MACHINE.set(before.count());
    let n_sharing = on_machine().filter(|(_, other)| *other == cores).count();
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (available / n_sharing.max(1)).max(1);
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // This fails if threads were started before. They then are as many as there are cores.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global();
    }
    let machines: BTreeSet<&String> = all.iter().map(|(machine, _)| machine).collect();
    let mut note = format!(
        "{} ranks on {}, {} each",
        ranks.size(),
        counted(machines.len(), "machine"),
        counted(rayon::current_num_threads(), "thread")
    );
    let used = n_cores(&cores) * on_machine().count() / n_sharing.max(1);
    let online = n_cores(&read("/sys/devices/system/cpu/online"));
    if used < online {
        note += &format!(
            "; they may use {used} of the {online} cores of this machine, and all with `mpirun --bind-to none`"
        );
    }
    progress::note(&note);
    Ok(())
}

/// The cores that this process may use, such as `0-3,8`. Empty if the system does not say.
fn allowed_cores() -> String {
    let status = read("/proc/self/status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Number of cores in a list such as `0-3,8`.
fn n_cores(list: &str) -> usize {
    let ranges = list.trim().split(',').map(|range| {
        let (start, end) = range.split_once('-').unwrap_or((range, range));
        let bounds = start.parse::<usize>().ok().zip(end.parse::<usize>().ok());
        bounds.map_or(0, |(start, end)| (end + 1).saturating_sub(start))
    });
    ranges.sum()
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: usize) {
        assert_eq!(n_cores(list), expected, "{list}");
    }

    #[test]
    fn cores_are_counted_in_the_lists_of_linux() {
        check("0-1\n", 2);
        check("0-3,8,10-11", 7);
        check("5", 1);
        check("", 0);
    }
}
