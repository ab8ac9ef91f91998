//! The chain of jobs that decides how long a build takes; pure.
//!
//! What always holds: no other chain of the graph takes longer. A job counts what it took, or what
//! it is expected to take.

use std::cmp::Reverse;

use chrono::TimeDelta;

use super::layout::order;

/// The longest chain, from its first job to its last, and what it takes; `None` where nothing
/// takes any time. `needs` as a list by place, `took` beside it.
pub(super) fn longest(needs: &[Vec<usize>], took: &[TimeDelta]) -> Option<(Vec<usize>, TimeDelta)> {
    let mut chains: Vec<Option<(TimeDelta, Option<usize>)>> = vec![None; needs.len()];
    for one in order(needs.iter()) {
        let before = needs[one]
            .iter()
            .filter_map(|need| Some((chains[*need]?.0, *need)))
            .max_by_key(|(long, need)| (*long, Reverse(*need)));
        let own = took.get(one).copied().unwrap_or_default();
        chains[one] = Some(match before {
            Some((long, need)) => (long + own, Some(need)),
            None => (own, None),
        });
    }
    let (last, whole) = chains
        .iter()
        .enumerate()
        .filter_map(|(one, chain)| Some((one, chain.as_ref()?.0)))
        .max_by_key(|(one, long)| (*long, Reverse(*one)))?;
    if whole <= TimeDelta::zero() {
        return None;
    }
    let mut chain = vec![last];
    let mut at = last;
    while let Some((_, Some(before))) = chains[at] {
        chain.push(before);
        at = before;
    }
    chain.reverse();
    Some((chain, whole))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(all: &[i64]) -> Vec<TimeDelta> {
        all.iter().map(|one| TimeDelta::seconds(*one)).collect()
    }

    #[test]
    fn the_slower_of_two_ways_is_the_critical_one() {
        let needs = [vec![], vec![0], vec![0], vec![1, 2]];
        let (chain, whole) = longest(&needs, &seconds(&[1, 5, 9, 2])).unwrap();
        assert_eq!((chain, whole), (vec![0, 2, 3], TimeDelta::seconds(12)));
    }

    #[test]
    fn where_nothing_takes_time_nothing_is_critical() {
        assert_eq!(longest(&[vec![], vec![0]], &seconds(&[0, 0])), None);
        assert_eq!(longest(&[], &[]), None);
    }

    /// What the longest chain that ends here takes, by trying them all.
    fn tried(needs: &[Vec<usize>], took: &[TimeDelta], one: usize) -> TimeDelta {
        let before = needs[one].iter().map(|need| tried(needs, took, *need)).max();
        before.unwrap_or_default() + took[one]
    }

    proptest! {
        #[test]
        fn no_chain_takes_longer(
            graph in proptest::collection::vec((proptest::collection::vec(any::<u16>(), 0..3), 0_i64..9), 1..9)
        ) {
            let needs: Vec<Vec<usize>> = graph
                .iter()
                .enumerate()
                .map(|(at, (needs, _))| {
                    let needs = needs.iter().filter(|_| at > 0);
                    needs.map(|need| usize::from(*need) % at.max(1)).collect()
                })
                .collect();
            let took = seconds(&graph.iter().map(|(_, took)| *took).collect::<Vec<_>>());
            let most = (0..needs.len()).map(|one| tried(&needs, &took, one)).max().unwrap();
            match longest(&needs, &took) {
                None => prop_assert_eq!(most, TimeDelta::zero()),
                Some((chain, whole)) => {
                    prop_assert_eq!(whole, most);
                    let sum = chain.iter().fold(TimeDelta::zero(), |sum, one| sum + took[*one]);
                    prop_assert_eq!(sum, whole);
                    for pair in chain.windows(2) {
                        prop_assert!(needs[pair[1]].contains(&pair[0]));
                    }
                }
            }
        }
    }
}
