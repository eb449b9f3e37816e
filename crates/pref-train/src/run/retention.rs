//! The checkpoints that stay. In: the steps of the checkpoints of a run. Out: the steps of those to remove.

/// Which checkpoints stay when a new one is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// Number of checkpoints that stay; 0 for all. Two stay at least if the newest one is not the best one.
    pub(super) keep: usize,
    /// The step of the best evaluation, whose checkpoint stays.
    pub(super) best: Option<usize>,
}

impl Retention {
    /// The checkpoints to remove, from the steps of all checkpoints, oldest first. The newest one, from which a run
    /// resumes, and that of the best evaluation are never among them.
    pub(super) fn to_remove(self, steps: &[usize]) -> Vec<usize> {
        let Some((_, older)) = steps.split_last() else {
            return Vec::new();
        };
        if self.keep == 0 {
            return Vec::new();
        }
        let others: Vec<usize> = older
            .iter()
            .copied()
            .filter(|&step| Some(step) != self.best)
            .collect();
        let has_older_best = self.best.is_some_and(|best| older.contains(&best));
        let n_kept = self.keep.saturating_sub(1 + usize::from(has_older_best));
        let n_removed = others.len().saturating_sub(n_kept);
        others[..n_removed].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keep: usize, best: Option<usize>, kept: &[usize]) {
        let steps = [2, 4, 6, 8];
        let removed = Retention { keep, best }.to_remove(&steps);
        let left: Vec<usize> = steps.into_iter().filter(|s| !removed.contains(s)).collect();
        assert_eq!(left, kept, "{keep} {best:?}");
    }

    #[test]
    fn the_newest_and_the_best_checkpoint_stay() {
        check(0, None, &[2, 4, 6, 8]);
        check(1, None, &[8]);
        check(2, None, &[6, 8]);
        check(1, Some(4), &[4, 8]);
        check(2, Some(4), &[4, 8]);
        check(3, Some(4), &[4, 6, 8]);
        check(1, Some(8), &[8]);
        check(2, Some(8), &[6, 8]);
        check(4, Some(2), &[2, 4, 6, 8]);
        // its checkpoint is not there
        check(2, Some(5), &[6, 8]);
        assert!(
            Retention {
                keep: 1,
                best: None
            }
            .to_remove(&[])
            .is_empty()
        );
    }
}
