//! Which order to delete comes next. Pure.
//!
//! What always holds: a stack is first deleted as a whole, and only what that leaves is kept or
//! forced, if the caller wants it at all; and there is an end to it.

use model::worker_api::RemoveHow;

use super::{FailedResource, StackStatus};

/// A deletion that failed is ordered once more: many failures (an interface still attached, a
/// bucket just written to) are over by then.
const PLAIN: usize = 2;
/// What depends on a resource that is kept may fail only then.
const SPECIAL: usize = 3;

/// One order to CloudFormation; numbered, for each is an order of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Plain { number: usize },
    Retaining { number: usize, resources: Vec<String> },
    Forced { number: usize },
}

impl Order {
    pub(super) fn token(&self, client_token: &str) -> String {
        match self {
            Self::Plain { number } => format!("{client_token}-{number}"),
            Self::Retaining { number, .. } => format!("{client_token}-retain-{number}"),
            Self::Forced { number } => format!("{client_token}-force-{number}"),
        }
    }
}

/// The orders of one removal.
#[derive(Debug)]
pub(super) struct Orders {
    how: RemoveHow,
    /// How often the stack was, or had been, ordered away as a whole.
    plain: usize,
    special: usize,
}

impl Orders {
    /// A stack whose deletion failed before counts as ordered once by whoever wants more than that.
    pub(super) fn of(how: RemoveHow, found: &StackStatus) -> Self {
        let failed_before = *found == StackStatus::DeleteFailed;
        let plain = match how {
            RemoveHow::Retaining | RemoveHow::Forced if failed_before => 1,
            RemoveHow::Careful | RemoveHow::Retaining | RemoveHow::Forced => 0,
        };
        Self { how, plain, special: 0 }
    }

    /// `None`: nothing more can be done. CloudFormation takes the special orders only for a stack
    /// whose deletion failed (CloudFormation API reference, `DeleteStack`).
    pub(super) fn next(&mut self, now: &StackStatus, failed: &[FailedResource]) -> Option<Order> {
        if self.plain < PLAIN {
            self.plain += 1;
            return Some(Order::Plain { number: self.plain });
        }
        if self.special == SPECIAL || *now != StackStatus::DeleteFailed {
            return None;
        }
        self.special += 1;
        let number = self.special;
        match self.how {
            RemoveHow::Careful => None,
            RemoveHow::Retaining if failed.is_empty() => None,
            RemoveHow::Retaining => {
                let resources = failed.iter().map(|resource| resource.logical_id.clone());
                Some(Order::Retaining { number, resources: resources.collect() })
            }
            RemoveHow::Forced => Some(Order::Forced { number }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(names: &[&str]) -> Vec<FailedResource> {
        let one = |name: &&str| FailedResource {
            logical_id: (*name).to_owned(),
            resource_type: "Custom::Thing".to_owned(),
            physical_id: None,
            reason: None,
        };
        names.iter().map(one).collect()
    }

    fn all(how: RemoveHow, found: StackStatus) -> Vec<Order> {
        let mut orders = Orders::of(how, &found);
        let mut now = found;
        std::iter::from_fn(|| {
            let order = orders.next(&now, &failed(&["A", "B"]))?;
            now = StackStatus::DeleteFailed;
            Some(order)
        })
        .collect()
    }

    #[test]
    fn a_careful_removal_tries_twice_and_keeps_nothing() {
        let twice = [Order::Plain { number: 1 }, Order::Plain { number: 2 }];
        assert_eq!(all(RemoveHow::Careful, StackStatus::CreateComplete), twice);
        assert_eq!(all(RemoveHow::Careful, StackStatus::DeleteFailed), twice);
    }

    #[test]
    fn what_cannot_be_deleted_is_kept_by_name_when_that_is_wanted() {
        let orders = all(RemoveHow::Retaining, StackStatus::CreateComplete);
        assert_eq!(orders[1], Order::Plain { number: 2 });
        let resources = vec!["A".to_owned(), "B".to_owned()];
        assert_eq!(orders[2], Order::Retaining { number: 1, resources });
        assert_eq!(orders.len(), PLAIN + SPECIAL);
        assert_eq!(orders[2].token("job"), "job-retain-1");
        let mut orders = Orders::of(RemoveHow::Retaining, &StackStatus::DeleteFailed);
        let mut next = || orders.next(&StackStatus::DeleteFailed, &[]);
        assert_eq!((next(), next()), (Some(Order::Plain { number: 2 }), None));
    }

    #[test]
    fn force_is_the_last_resort_and_only_for_a_deletion_that_failed() {
        let orders = all(RemoveHow::Forced, StackStatus::DeleteFailed);
        assert_eq!(orders[..2], [Order::Plain { number: 2 }, Order::Forced { number: 1 }]);
        let mut orders = Orders::of(RemoveHow::Forced, &StackStatus::CreateComplete);
        let mut next = || orders.next(&StackStatus::CreateComplete, &[]);
        assert_eq!([next(), next(), next()].map(|order| order.is_some()), [true, true, false]);
    }
}
