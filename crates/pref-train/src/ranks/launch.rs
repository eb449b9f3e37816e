//! How this process was started. In: variables of the environment. Out: the number of processes that were started
//! together, and the number of this one.

/// A start of several processes by `mpirun`, `mpiexec` or `srun`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The variable that gives the number of processes.
    pub variable: &'static str,
    /// Number of processes.
    pub size: usize,
    /// The number of this process, from 0; 0 if the launcher does not say.
    pub rank: usize,
}

/// The variables of the number of processes and of the number of this process, by launcher: Open MPI, MPICH and
/// Intel MPI, MVAPICH2, and Slurm. Slurm sets `SLURM_NTASKS` for the script of a job too, which is one process;
/// `SLURM_STEP_NUM_TASKS` is set by `srun` only.
const VARIABLES: [[&str; 2]; 4] = [
    ["OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"],
    ["PMI_SIZE", "PMI_RANK"],
    ["MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"],
    ["SLURM_STEP_NUM_TASKS", "SLURM_PROCID"],
];

impl Launch {
    /// The start of this process. `None` if it was started alone.
    pub fn of_environment() -> Option<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
        // `mpirun` within a step of Slurm is asked first.
        let found = VARIABLES
            .iter()
            .find_map(|[size, rank]| Some((*size, number(size)?, number(rank).unwrap_or(0))));
        let (variable, size, rank) = found?;
        (size > 1).then_some(Self {
            variable,
            size,
            rank,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(environment: &[(&str, &str)], expected: Option<(usize, usize)>) {
        let variable = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let launch = Launch::of(variable).map(|launch| (launch.rank, launch.size));
        assert_eq!(launch, expected, "{environment:?}");
    }

    #[test]
    fn every_launcher_is_noticed() {
        check(&[], None);
        check(&[("OMPI_COMM_WORLD_SIZE", "1")], None);
        let open_mpi = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "3")];
        check(&open_mpi, Some((3, 4)));
        check(&[("PMI_SIZE", "2"), ("PMI_RANK", "1")], Some((1, 2)));
        check(&[("PMI_SIZE", "two")], None);
    }

    #[test]
    fn the_script_of_a_slurm_job_is_one_process() {
        check(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")], None);
        let step = [("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "5")];
        check(&step, Some((5, 8)));
        let within = [("SLURM_STEP_NUM_TASKS", "8"), ("OMPI_COMM_WORLD_SIZE", "1")];
        check(&within, None);
    }
}
