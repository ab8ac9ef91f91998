//! What happens to stacks, counted and listed: what goes first comes first.

use super::sheet::Sheet;
use super::text::code;
use crate::ServiceName;
use crate::change_set::{Effect, StackChange, StackChangeKind};

const EFFECTS: [Effect; 5] =
    [Effect::Removed, Effect::Replaced, Effect::MayBeReplaced, Effect::Changed, Effect::Added];

/// "**1 removed**, 2 changed"; what loses data stands out.
pub(super) fn counted(stacks: &[StackChange]) -> String {
    let all = || stacks.iter().flat_map(|stack| &stack.changes);
    let counts: Vec<String> = EFFECTS
        .iter()
        .filter_map(|effect| {
            let count = all().filter(|change| change.effect == *effect).count();
            let text = format!("{count} {}", effect.as_str());
            match (count, effect) {
                (0, _) => None,
                (_, Effect::Removed | Effect::Replaced | Effect::MayBeReplaced) => {
                    Some(format!("**{text}**"))
                }
                (_, Effect::Changed | Effect::Added) => Some(text),
            }
        })
        .collect();
    if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
}

/// Every change, folded; nothing where no stack is touched.
pub(super) fn details<'a>(
    sheet: &mut Sheet,
    summary: &str,
    changes: impl Iterator<Item = (&'a ServiceName, &'a [StackChange])>,
) {
    let touched: Vec<_> = changes.filter(|(_, stacks)| stacks.iter().any(is_touched)).collect();
    if touched.is_empty() {
        return;
    }
    sheet.fold(summary, |sheet| {
        for (service, change) in touched {
            stacks(sheet, service, change);
        }
    });
}

fn is_touched(stack: &StackChange) -> bool {
    !stack.changes.is_empty() || stack.note.is_some()
}

pub(super) fn stacks(sheet: &mut Sheet, service: &ServiceName, stacks: &[StackChange]) {
    for stack in stacks.iter().filter(|stack| is_touched(stack)) {
        let kind = match stack.kind {
            StackChangeKind::New => " (new)",
            StackChangeKind::Update => "",
        };
        sheet.line(&format!("{service}, stack {}{kind}:", code(&stack.stack)));
        sheet.gap();
        if let Some(note) = &stack.note {
            sheet.line(&format!("- {}", code(note)));
        }
        let mut changes: Vec<_> = stack.changes.iter().collect();
        changes.sort_by(|one, other| {
            (one.effect, &one.logical_id).cmp(&(other.effect, &other.logical_id))
        });
        sheet.rows(changes.into_iter().map(|change| {
            let because = match change.because.as_slice() {
                [] => String::new(),
                because => format!(", because of {}", code(&because.join(", "))),
            };
            format!(
                "- {} {} {}{because}",
                change.effect.as_str(),
                code(&change.logical_id),
                code(&change.resource_type)
            )
        }));
        sheet.gap();
    }
}
