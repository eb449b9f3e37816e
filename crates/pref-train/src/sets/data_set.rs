//! The data sets of a run: training and evaluation rows, and both with emptied traces. In: a data set. Out: its
//! name in files and in messages, and one value for each data set.

/// A data set of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataSet {
    /// The training rows.
    Train,
    /// The evaluation rows.
    Eval,
    /// Training pairs with emptied traces, for objectives that mix them with the training pairs.
    Empty,
    /// Evaluation pairs with emptied traces.
    EmptyEval,
}

impl DataSet {
    pub(crate) const ALL: [DataSet; 4] = [
        DataSet::Train,
        DataSet::Eval,
        DataSet::Empty,
        DataSet::EmptyEval,
    ];

    /// The name of the data set in files.
    pub(crate) fn name(self) -> &'static str {
        ["train", "eval", "empty", "empty-eval"][self as usize]
    }

    /// The words for the rows of the data set in messages.
    pub(crate) fn title(self) -> &'static str {
        [
            "the training rows",
            "the evaluation rows",
            "the rows with emptied traces",
            "the evaluation rows with emptied traces",
        ][self as usize]
    }
}

/// One value for each data set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PerSet<T>(pub(crate) [T; 4]);

impl<T> PerSet<T> {
    /// The value of a data set.
    pub(crate) fn of(&self, set: DataSet) -> &T {
        &self.0[set as usize]
    }
}
