//! Why a continuation ended. In: nothing. Out: the reasons, and their names.

/// Why a continuation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// With a stop id or a stop string.
    Stop,
    /// With the largest number of tokens, or at the last position of the model.
    Length,
}

impl Finish {
    /// `stop` or `length`, as in the answers of servers.
    pub fn name(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
        }
    }
}
