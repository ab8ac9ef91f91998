//! What people and machines do to one repository, drawn at random, and what must come of it.
//!
//! What always holds: a deed is only drawn where GitHub would allow it, and [`Hub`] is what GitHub
//! shows after it; so what is expected at the end is a function of the deeds alone.

use std::collections::BTreeMap;

use super::chance::Chance;

/// The branches that pull requests come from.
const BRANCHES: [&str; 3] = ["feature/a", "feature/b", "fix"];

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A commit on `master`.
    Land,
    /// A branch with a commit, and a pull request of it.
    Open {
        branch: &'static str,
    },
    /// A commit on a branch that is there.
    Push {
        branch: &'static str,
    },
    Close {
        branch: &'static str,
    },
    Reopen {
        branch: &'static str,
    },
    Merge {
        branch: &'static str,
    },
    Delete {
        branch: &'static str,
    },
    /// The next webhook does not arrive.
    Lose,
    /// The next webhook is done, and its answer is lost.
    LoseAnswer,
    /// The next webhook comes twice.
    Double,
    /// One of the changes that are under way gets through.
    Proceed,
}

/// When the rule lets a preview go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destroy {
    BranchDeleted,
    PullRequestClosed,
}

impl Destroy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BranchDeleted => "branch-deleted",
            Self::PullRequestClosed => "pull-request-closed",
        }
    }
}

/// A branch as GitHub shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// With the number of its open pull request.
    Open(u64),
    Closed(u64),
    Merged,
}

/// The repository's branches and pull requests.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    branches: BTreeMap<&'static str, Shown>,
    landed: bool,
}

/// What must be deployed of a branch once all is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Its head.
    Head,
    Nothing,
    /// Its preview is kept, at whatever commit its pull request had last.
    Anything,
}

impl Hub {
    /// Something that may happen now.
    pub(crate) fn draw(&self, chance: &mut Chance) -> Deed {
        let mut possible = vec![Deed::Land, Deed::Proceed, Deed::Proceed, Deed::Proceed];
        possible.extend([Deed::Lose, Deed::LoseAnswer, Deed::Double]);
        for branch in BRANCHES {
            match self.branches.get(branch) {
                None => possible.extend([Deed::Open { branch }, Deed::Open { branch }]),
                Some(Shown::Open(_)) => possible.extend([
                    Deed::Push { branch },
                    Deed::Push { branch },
                    Deed::Close { branch },
                    Deed::Merge { branch },
                    Deed::Delete { branch },
                ]),
                Some(Shown::Closed(_)) => {
                    possible.extend([Deed::Reopen { branch }, Deed::Delete { branch }]);
                }
                Some(Shown::Merged) => {
                    possible.extend([Deed::Delete { branch }, Deed::Delete { branch }]);
                }
            }
        }
        chance.pick(&possible).clone()
    }

    /// The pull request that a deed is about.
    pub(crate) fn pull(&self, branch: &str) -> u64 {
        match self.branches.get(branch) {
            Some(Shown::Open(number) | Shown::Closed(number)) => *number,
            Some(Shown::Merged) | None => panic!("{branch} has no pull request to speak of"),
        }
    }

    pub(crate) fn opened(&mut self, branch: &'static str, number: u64) {
        self.branches.insert(branch, Shown::Open(number));
    }

    pub(crate) fn closed(&mut self, branch: &'static str) {
        let number = self.pull(branch);
        self.branches.insert(branch, Shown::Closed(number));
    }

    pub(crate) fn merged(&mut self, branch: &'static str) {
        self.branches.insert(branch, Shown::Merged);
        self.landed = true;
    }

    pub(crate) fn deleted(&mut self, branch: &str) {
        self.branches.remove(branch);
    }

    pub(crate) fn landed(&mut self) {
        self.landed = true;
    }

    /// Every branch that ever could have a preview, and `master`.
    pub(crate) fn expected(&self, destroy: Destroy) -> Vec<(&'static str, Expected)> {
        let of = |branch| match (self.branches.get(branch), destroy) {
            (None, _) | (Some(Shown::Closed(_) | Shown::Merged), Destroy::PullRequestClosed) => {
                Expected::Nothing
            }
            (Some(Shown::Open(_)), _) => Expected::Head,
            (Some(Shown::Closed(_) | Shown::Merged), Destroy::BranchDeleted) => Expected::Anything,
        };
        let master = if self.landed { Expected::Head } else { Expected::Nothing };
        let previews = BRANCHES.iter().map(|branch| (*branch, of(branch)));
        previews.chain([("master", master)]).collect()
    }
}
