//! Around the deletion of a stack: its buckets emptied before, the logs it left deleted after.
//!
//! What always holds: neither fails a removal. What could not be done is handed out as an event
//! that failed, with the reason; a bucket that is not empty then keeps CloudFormation from deleting
//! the stack, and logs that stay cost a little and harm nobody.

use std::collections::BTreeSet;

use super::bucket::{self, Emptied};
use super::holdings::{Bucket, Groups, Holdings};
use super::logs::Groups as LogGroups;
use super::{StackEvent, Stacks};
use crate::failure::Failure;
use crate::signed::Signed;

/// How many versions are deleted between two words about it.
const TELL_EVERY: usize = 10_000;

impl Stacks {
    /// Deletes everything in the buckets. `on_event` hears of each bucket that was not empty; what
    /// could not be deleted is answered, in words.
    pub async fn empty_buckets(
        &self,
        holdings: &Holdings,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Vec<String> {
        let mut troubles = Vec::new();
        if holdings.buckets.is_empty() {
            return troubles;
        }
        let s3 = self.storage.signed();
        for held in &holdings.buckets {
            let emptied = match &s3 {
                Ok(s3) => empty(s3, held, on_event).await,
                Err(failure) => Err(failure.clone()),
            };
            let trouble = match emptied {
                Ok(emptied) => {
                    if !emptied.untouched() {
                        on_event(&of_bucket(held, "EMPTY_COMPLETE", &emptied.told()));
                    }
                    emptied.refusal()
                }
                Err(failure) => Some(words(failure, BUCKET_RIGHTS)),
            };
            if let Some(trouble) = trouble {
                on_event(&of_bucket(held, "EMPTY_FAILED", &trouble));
                troubles.push(format!("bucket {} is not empty: {trouble}", held.name));
            }
        }
        troubles
    }

    /// Deletes the log groups that the stack's functions and APIs have left behind, but for those
    /// of resources that stayed, by their physical ids. To be called when the stack is gone.
    pub async fn delete_logs(
        &self,
        holdings: &Holdings,
        stayed: &BTreeSet<String>,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) {
        let left: Vec<_> =
            holdings.logs.iter().filter(|logs| !stayed.contains(&logs.physical_id)).collect();
        if left.is_empty() {
            return;
        }
        let signed = match self.storage.signed() {
            Ok(signed) => signed,
            Err(failure) => {
                on_event(&of_group("logs", "DELETE_FAILED", words(failure, LOGS_RIGHTS)));
                return;
            }
        };
        let service = LogGroups::new(&signed);
        for logs in left {
            let names = match &logs.groups {
                Groups::Named(name) => Ok(vec![name.clone()]),
                Groups::Below(prefix) => service.below(prefix).await,
            };
            let names = match names {
                Ok(names) => names,
                Err(failure) => {
                    let words = words(failure, LOGS_RIGHTS);
                    on_event(&of_group(&logs.physical_id, "DELETE_FAILED", words));
                    continue;
                }
            };
            for name in names {
                if holdings.keeps_logs(&name) || stayed.contains(&name) {
                    continue;
                }
                match service.delete(&name).await {
                    Ok(true) => {
                        let why = "it was left behind".to_owned();
                        on_event(&of_group(&name, "DELETE_COMPLETE", why));
                    }
                    Ok(false) => {}
                    Err(failure) => {
                        on_event(&of_group(&name, "DELETE_FAILED", words(failure, LOGS_RIGHTS)));
                    }
                }
            }
        }
    }
}

const BUCKET_RIGHTS: &str = "s3:ListBucketVersions, s3:DeleteObjectVersion, \
                             s3:ListBucketMultipartUploads and s3:AbortMultipartUpload";
const LOGS_RIGHTS: &str = "logs:DescribeLogGroups and logs:DeleteLogGroup";

async fn empty(
    s3: &Signed,
    held: &Bucket,
    on_event: &mut (dyn FnMut(&StackEvent) + Send),
) -> Result<Emptied, Failure> {
    let mut told = 0;
    let mut on_page = |gone: usize| {
        if gone / TELL_EVERY > told / TELL_EVERY {
            let words = format!("{gone} object versions deleted so far");
            on_event(&of_bucket(held, "EMPTY_IN_PROGRESS", &words));
        }
        told = gone;
    };
    bucket::empty(s3, held, &mut on_page).await
}

fn of_bucket(held: &Bucket, status: &str, words: &str) -> StackEvent {
    let reason = format!("bucket {}: {words}", held.name);
    StackEvent::ours(&held.logical_id, "AWS::S3::Bucket", status, reason)
}

fn of_group(name: &str, status: &str, words: String) -> StackEvent {
    StackEvent::ours(name, "AWS::Logs::LogGroup", status, words)
}

fn words(failure: Failure, rights: &str) -> String {
    match failure {
        Failure::Denied(detail) => format!(
            "AWS does not allow it: {detail}. Add {rights} to the deploy policy of the profile's \
             role (docs/iam/deploy-policy.json has them)."
        ),
        Failure::NoCredentials(detail)
        | Failure::BadCredentials(detail)
        | Failure::Unavailable(detail) => detail,
        Failure::Invalid { code, message } => format!("{code}: {message}"),
    }
}
