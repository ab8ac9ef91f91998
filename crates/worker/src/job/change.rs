//! The change of a stack, and what was found in a package, as lines for people. Pure.
//!
//! What always holds: what is lost comes first; a long list is cut at its end, where additions
//! stand, and says how much was cut.

use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::finding::{Check, Finding};

const ROWS_MAX: usize = 60;

/// The heading and the rows.
pub(super) fn table(change: &StackChange) -> (String, Vec<String>) {
    let mut changes: Vec<&ResourceChange> = change.changes.iter().collect();
    changes.sort_by(|a, b| {
        (a.effect, &a.resource_type, &a.logical_id).cmp(&(
            b.effect,
            &b.resource_type,
            &b.logical_id,
        ))
    });
    let width = |of: fn(&ResourceChange) -> &str| {
        changes.iter().take(ROWS_MAX).map(|change| of(change).len()).max().unwrap_or_default()
    };
    let (effects, names) =
        (width(|change| change.effect.as_str()), width(|change| &change.logical_id));
    let mut rows: Vec<String> = changes
        .iter()
        .take(ROWS_MAX)
        .map(|change| {
            let because = match change.because.as_slice() {
                [] => String::new(),
                properties => format!(" ({})", properties.join(", ")),
            };
            format!(
                "  {:effects$}  {:names$}  {}{because}",
                change.effect.as_str(),
                change.logical_id,
                change.resource_type
            )
        })
        .collect();
    if changes.len() > ROWS_MAX {
        rows.push(format!("  and {} more", changes.len() - ROWS_MAX));
    }
    rows.extend(change.note.as_ref().map(|note| format!("  note: {note}")));
    let what = match (change.kind, changes.is_empty()) {
        (StackChangeKind::New, _) => "new, ".to_owned() + &counted(&changes),
        (StackChangeKind::Update, true) => "nothing".to_owned(),
        (StackChangeKind::Update, false) => counted(&changes),
    };
    (format!("change of stack {}: {what}", change.stack), rows)
}

/// Such as `1 replaced, 2 changed`.
fn counted(changes: &[&ResourceChange]) -> String {
    let effects =
        [Effect::Removed, Effect::Replaced, Effect::MayBeReplaced, Effect::Changed, Effect::Added];
    let counts: Vec<String> = effects
        .into_iter()
        .filter_map(|effect| {
            let count = changes.iter().filter(|change| change.effect == effect).count();
            (count > 0).then(|| format!("{count} {}", effect.as_str()))
        })
        .collect();
    if counts.is_empty() { "no resources".to_owned() } else { counts.join(", ") }
}

/// A finding as one line: who says it, where, what, and what to do.
pub(super) fn line(finding: &Finding) -> String {
    let who = match finding.check {
        Check::Limit => "limit of AWS",
        Check::Template => "template",
        Check::Outside => "not by Greenroom",
        Check::Safeguard(policy) => policy.as_str(),
        Check::Approval => "approval",
    };
    let Finding { place, problem, remedy, .. } = finding;
    format!("{who}: {place}: {problem}; {remedy}").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::app::{Level, Policy};

    fn resource(logical_id: &str, effect: Effect) -> ResourceChange {
        ResourceChange {
            logical_id: logical_id.to_owned(),
            physical_id: None,
            resource_type: "AWS::DynamoDB::Table".to_owned(),
            effect,
            because: match effect {
                Effect::Replaced => vec!["KeySchema".to_owned()],
                Effect::Removed | Effect::MayBeReplaced | Effect::Changed | Effect::Added => {
                    Vec::new()
                }
            },
        }
    }

    fn change(kind: StackChangeKind, changes: Vec<ResourceChange>) -> StackChange {
        StackChange { stack: "shop-dev".to_owned(), kind, changes, note: None }
    }

    #[test]
    fn what_is_lost_comes_first_with_the_reason() {
        let changes = vec![
            resource("Fresh", Effect::Added),
            resource("Notes", Effect::Replaced),
            resource("Old", Effect::Removed),
        ];
        let (heading, rows) = table(&change(StackChangeKind::Update, changes));
        assert_eq!(heading, "change of stack shop-dev: 1 removed, 1 replaced, 1 added");
        assert_eq!(
            rows,
            [
                "  removed   Old    AWS::DynamoDB::Table",
                "  replaced  Notes  AWS::DynamoDB::Table (KeySchema)",
                "  added     Fresh  AWS::DynamoDB::Table",
            ]
        );
    }

    #[test]
    fn a_stack_that_stays_as_it_is_says_so() {
        let (heading, rows) = table(&change(StackChangeKind::Update, Vec::new()));
        assert_eq!((heading.as_str(), rows.len()), ("change of stack shop-dev: nothing", 0));
        let (heading, _) = table(&change(StackChangeKind::New, Vec::new()));
        assert_eq!(heading, "change of stack shop-dev: new, no resources");
    }

    #[test]
    fn a_long_list_says_how_much_of_it_is_left_out() {
        let changes = (0..100).map(|n| resource(&format!("T{n}"), Effect::Added)).collect();
        let (_, rows) = table(&change(StackChangeKind::New, changes));
        assert_eq!((rows.len(), rows[60].as_str()), (61, "  and 40 more"));
    }

    #[test]
    fn a_finding_is_one_line_that_says_who_where_what_and_the_remedy() {
        let finding = Finding {
            check: Check::Safeguard(Policy::AllowedRegions),
            level: Level::Error,
            place: "region".to_owned(),
            problem: "us-east-1\nis not allowed".to_owned(),
            remedy: "use eu-west-1".to_owned(),
        };
        let expected = "allowed-regions: region: us-east-1 is not allowed; use eu-west-1";
        assert_eq!(line(&finding), expected);
    }
}
