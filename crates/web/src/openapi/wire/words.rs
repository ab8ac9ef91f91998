//! Words out of a fixed set. A client has to live with a new one: they are added to, never renamed.

use super::wire;

wire! {
    BuildEvent = { "type": "string", "enum": [
        "push", "tag", "pull_request", "branch_deleted", "pull_request_closed", "manual", "schedule"
    ] };
    BuildPurpose = { "type": "string", "enum": [
        "deploy", "test", "remove", "rollback", "recover", "inspect"
    ] };
    BuildState = { "type": "string", "enum": ["running", "waiting", "finished"] };
    BuildOutcome = { "type": "string", "enum": [
        "succeeded", "failed", "canceled", "superseded", "skipped"
    ] };
    Decision = { "type": "string", "enum": ["run", "follow", "skip"] };
    JobKind = { "type": "string", "enum": [
        "plan", "test", "package", "deploy", "remove", "post_deploy", "rollback", "recover",
        "foresee", "sweep", "drift"
    ] };
    JobState = { "type": "string", "enum": [
        "blocked", "waiting", "queued", "running", "finished"
    ] };
    JobOutcome = { "type": "string", "enum": [
        "succeeded", "failed", "canceled", "skipped", "unneeded"
    ] };
    FailureKind = { "type": "string", "enum": [
        "step", "configuration", "safeguard", "limit", "aws", "checkout", "lost", "internal"
    ] };
    StageKind = { "type": "string", "enum": ["long-lived", "preview", "personal"] };
    StageState = { "type": "string", "enum": ["active", "removing", "remove_failed", "closed"] };
    InstanceState = { "type": "string", "enum": [
        "planned", "deploying", "deployed", "failed", "removing", "removed"
    ] };
    DeploymentKind = { "type": "string", "enum": ["deploy", "remove", "rollback"] };
    DeploymentState = { "type": "string", "enum": [
        "running", "succeeded", "failed", "rolled_back", "canceled"
    ] };
    ApprovalState = { "type": "string", "enum": [
        "waiting", "approved", "rejected", "expired", "void"
    ] };
    DriftSummary = { "type": "string", "enum": ["in_sync", "not_checked", "drifted"] };
    RemoveHow = { "type": "string", "enum": ["careful", "retaining", "forced"],
        "default": "careful",
        "description": "What becomes of resources that cannot be deleted: they stay and the stage \
            says so, or they are kept and named while their stack goes, or CloudFormation is told \
            to delete the stack by force." };
    Role = { "type": "string", "enum": ["admin", "deployer", "viewer", "worker"] };
    Health = { "type": "string", "enum": ["ok", "off", "degraded", "failing"] };
    WorkerPresence = { "type": "string", "enum": ["here", "silent", "gone"] };
    MessageState = { "type": "string", "enum": ["sent", "waiting", "given_up"] };
    DeliveryState = { "type": "string", "enum": ["received", "done", "ignored", "failed"] };
    Via = { "type": "string", "enum": ["api", "page", "command", "comment"] };
    LaptopUse = { "type": "string", "enum": ["exec", "env"], "default": "exec" };
    LaptopState = { "type": "string", "enum": ["running", "ended", "over"],
        "description": "`over`: its credentials are, and its end was never told." };
    CallerKind = { "type": "string", "enum": ["person", "token", "nobody"] };
}
