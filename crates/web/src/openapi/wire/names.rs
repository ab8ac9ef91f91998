//! Names that come from outside, as `model::name` takes them.

use super::wire;

wire! {
    AppName = {
        "type": "string", "maxLength": 50, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "description": "What the server calls a registered repository.", "examples": ["shop"]
    };
    ServiceName = {
        "type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9](\\.?[A-Za-z0-9_-])*\\.?$",
        "description": "A deployable directory of an app.", "examples": ["api"]
    };
    StageName = {
        "type": "string", "maxLength": 40, "pattern": "^[A-Za-z0-9][A-Za-z0-9-]*$",
        "description": "A named copy of the app.", "examples": ["staging"]
    };
    ProfileName = {
        "type": "string", "maxLength": 50, "pattern": "^[A-Za-z0-9](\\.?[A-Za-z0-9_-])*\\.?$",
        "description": "A deployment profile of an app.", "examples": ["development"]
    };
    ReceiverName = {
        "type": "string", "maxLength": 50, "pattern": "^[A-Za-z0-9](\\.?[A-Za-z0-9_-])*\\.?$",
        "description": "Who is told of what happens to an app.", "examples": ["team-chat"]
    };
    RepositoryName = {
        "type": "string", "maxLength": 201,
        "pattern": "^[A-Za-z0-9_.][A-Za-z0-9_.-]*/[A-Za-z0-9_.][A-Za-z0-9_.-]*$",
        "description": "`owner/name` on GitHub.", "examples": ["acme/shop"]
    };
    BranchName = {
        "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^-/. ~^:?*\\[\\\\\\x00-\\x1f\\x7f][^ ~^:?*\\[\\\\\\x00-\\x1f\\x7f]*$",
        "description": "A branch, without `refs/heads/`, as git allows it.", "examples": ["master"]
    };
    TagName = {
        "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^-/. ~^:?*\\[\\\\\\x00-\\x1f\\x7f][^ ~^:?*\\[\\\\\\x00-\\x1f\\x7f]*$",
        "description": "A tag, without `refs/tags/`, as git allows it.", "examples": ["v1.2.0"]
    };
    CommitSha = {
        "type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$",
        "description": "A commit, by its full SHA-1 or SHA-256 name."
    };
    Region = {
        "type": "string", "maxLength": 32, "pattern": "^[a-z0-9]+(-[a-z0-9]+)+-[0-9]+$",
        "description": "An AWS region.", "examples": ["us-east-1"]
    };
    RoleArn = {
        "type": "string",
        "pattern": "^arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}$",
        "description": "The role that a profile's jobs assume.",
        "examples": ["arn:aws:iam::111111111111:role/greenroom-deploy"]
    };
    TokenName = {
        "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[^/\\x00-\\x1f\\x7f]+$",
        "description": "What a bearer token is called; names are given once and for ever."
    };
    LogicalId = {
        "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[A-Za-z0-9]+$",
        "description": "A resource's name in its template."
    };
    DeliveryGuid = {
        "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[\\x21-\\x7e]+$",
        "description": "GitHub's id of a webhook's delivery."
    };
    RowNumber = {
        "type": "integer", "format": "int64", "minimum": 1,
        "description": "Counted per app, from 1."
    };
}
