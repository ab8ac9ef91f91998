//! How far a stage is behind the one it is promoted from, in words.
//!
//! What always holds: a number is only told of the two commits that stand there now; what GitHub
//! has not counted yet is told without one.

use model::CommitSha;
use store::board::{BoardLead, BoardRow};

/// What is said of a stage and the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeadView {
    pub(super) class: &'static str,
    pub(super) text: String,
    /// There may be something to promote.
    pub(super) promotable: bool,
}

/// `to` and `from` with the commits they are of.
pub(super) fn lead(to: Option<(&BoardRow, &CommitSha)>, from: (&BoardRow, &CommitSha)) -> LeadView {
    let (before, head) = from;
    let name = &before.stage;
    let view = |class, text, promotable| LeadView { class, text, promotable };
    let Some((to, base)) = to else {
        return view("behind", format!("nothing of {name} yet"), true);
    };
    if base == head {
        return view("even", format!("same commit as {name}"), false);
    }
    match counted(to.lead.as_ref(), before, base, head) {
        Some((0, 0)) => view("even", format!("same as {name}"), false),
        Some((ahead, 0)) => view("behind", format!("{} behind {name}", commits(ahead)), true),
        Some((0, own)) => view("even", format!("{} ahead of {name}", commits(own)), false),
        Some((ahead, own)) => {
            let text = format!("{} behind {name}, {own} ahead", commits(ahead));
            view("behind", text, true)
        }
        None => view("behind", format!("differs from {name}"), true),
    }
}

/// The commits that only the one before has, and that only the stage itself has.
fn counted(
    lead: Option<&BoardLead>,
    from: &BoardRow,
    base: &CommitSha,
    head: &CommitSha,
) -> Option<(u32, u32)> {
    let lead = lead.filter(|lead| {
        lead.from_stage == from.stage_id && lead.base == *base && lead.head == *head
    })?;
    lead.ahead_by.zip(lead.behind_by)
}

fn commits(number: u32) -> String {
    match number {
        1 => "1 commit".to_owned(),
        _ => format!("{number} commits"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use model::StageId;
    use model::stage::{StageKind, StageState};
    use uuid::Uuid;

    use super::*;

    fn sha(digit: char) -> CommitSha {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn row(name: &str, lead: Option<BoardLead>) -> BoardRow {
        BoardRow {
            app: "workshop".parse().unwrap(),
            repository: "acme/workshop".parse().unwrap(),
            stage_id: StageId(Uuid::from_u128(if name == "staging" { 1 } else { 2 })),
            stage: name.parse().unwrap(),
            kind: StageKind::LongLived,
            state: StageState::Active,
            branch: None,
            pull_request: None,
            active_at: DateTime::UNIX_EPOCH,
            owner: None,
            used_at: None,
            expired_at: None,
            instances: Vec::new(),
            last_build: None,
            deployed: None,
            lead,
            frozen: None,
        }
    }

    fn said(to: char, from: char, counts: Option<(u32, u32)>) -> LeadView {
        let staging = row("staging", None);
        let prod = row(
            "prod",
            counts.map(|(ahead, behind)| BoardLead {
                from_stage: staging.stage_id,
                base: sha('a'),
                head: sha('b'),
                ahead_by: Some(ahead),
                behind_by: Some(behind),
            }),
        );
        lead(Some((&prod, &sha(to))), (&staging, &sha(from)))
    }

    #[test]
    fn a_stage_is_so_many_commits_behind_the_one_before_it() {
        assert_eq!(said('a', 'b', Some((1, 0))).text, "1 commit behind staging");
        assert_eq!(said('a', 'b', Some((12, 0))).text, "12 commits behind staging");
        let diverged = said('a', 'b', Some((2, 3)));
        assert_eq!(diverged.text, "2 commits behind staging, 3 ahead");
        assert!(diverged.promotable);
    }

    #[test]
    fn nothing_is_promoted_where_there_is_nothing_new() {
        assert!(!said('a', 'a', None).promotable);
        let ahead = said('a', 'b', Some((0, 2)));
        assert_eq!((ahead.text.as_str(), ahead.promotable), ("2 commits ahead of staging", false));
    }

    #[test]
    fn a_number_of_other_commits_is_not_told() {
        assert_eq!(said('c', 'b', Some((1, 0))).text, "differs from staging");
        assert_eq!(said('a', 'c', Some((1, 0))).text, "differs from staging");
        assert_eq!(said('a', 'b', None).text, "differs from staging");
        let staging = row("staging", None);
        assert_eq!(lead(None, (&staging, &sha('b'))).text, "nothing of staging yet");
    }
}
