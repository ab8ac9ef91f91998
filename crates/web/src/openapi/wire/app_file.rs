//! The app file as JSON. `docs/app-file.md` says what each key means.

use super::wire;

wire! {
    AppFile = {
        "type": "object", "additionalProperties": false,
        "required": ["app", "repository", "default_profile", "profiles"],
        "description": "The app file as JSON, with all its rules in docs/app-file.md. What `GET` \
            answers can be sent back without `created_at` and `updated_at`.",
        "properties": {
            "app": { "$ref": "#/components/schemas/AppName" },
            "repository": { "$ref": "#/components/schemas/RepositoryName" },
            "default_profile": { "$ref": "#/components/schemas/ProfileName" },
            "concurrency": { "type": ["integer", "null"], "minimum": 1, "maximum": 1000 },
            "preview_limit": { "type": ["integer", "null"], "minimum": 1, "maximum": 1000 },
            "personal": { "$ref": "#/components/schemas/PersonalSettings" },
            "profiles": { "type": "object", "minProperties": 1,
                "additionalProperties": { "$ref": "#/components/schemas/Profile" } },
            "services": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/ServiceSettings" } },
            "stages": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/StageSettings" } },
            "rules": { "type": "array", "items": { "$ref": "#/components/schemas/Rule" } },
            "notifications": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/Receiver" } }
        }
    };
    Profile = {
        "type": "object", "additionalProperties": false, "required": ["role_arn", "region"],
        "properties": {
            "role_arn": { "$ref": "#/components/schemas/RoleArn" },
            "external_id": { "type": "string", "minLength": 2, "maxLength": 1224 },
            "region": { "$ref": "#/components/schemas/Region" },
            "laptop": { "type": "array", "uniqueItems": true,
                "items": { "type": "string", "enum": ["admin", "deployer"] } },
            "parameters": { "$ref": "#/components/schemas/Parameters" },
            "safeguards": { "type": "array",
                "items": { "$ref": "#/components/schemas/Safeguard" } }
        }
    };
    PersonalSettings = {
        "type": "object", "additionalProperties": false, "required": ["expires_after"],
        "properties": { "expires_after": { "$ref": "#/components/schemas/Lifetime" } }
    };
    Parameters = {
        "type": "object",
        "additionalProperties": { "oneOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "object", "additionalProperties": false, "required": ["secret_env"],
                "properties": { "secret_env": { "type": "string",
                    "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" } } },
            { "type": "object", "additionalProperties": false, "required": ["secret"],
                "properties": { "secret": { "type": ["string", "number", "boolean", "null"],
                    "description": "Stored encrypted; `null` keeps the stored one." } } },
            { "type": "object", "additionalProperties": false, "required": ["ssm"],
                "properties": { "ssm": { "type": "string" } } },
            { "type": "object", "additionalProperties": false, "required": ["secretsmanager"],
                "properties": { "secretsmanager": { "type": "string" } } }
        ] }
    };
    Safeguard = {
        "type": "object", "required": ["policy"],
        "properties": {
            "policy": { "type": "string", "description": "One of docs/safeguards.md." },
            "level": { "type": "string", "enum": ["warning", "error"] },
            "config": { "description": "As the policy wants it." }
        }
    };
    ServiceSettings = {
        "type": "object", "additionalProperties": false, "required": ["regions"],
        "properties": { "regions": { "type": "array", "minItems": 1, "uniqueItems": true,
            "items": { "$ref": "#/components/schemas/Region" } } }
    };
    StageSettings = {
        "type": "object", "required": ["profile"],
        "properties": {
            "profile": { "$ref": "#/components/schemas/ProfileName" },
            "approvers": { "type": "array", "items": { "type": "string" } },
            "approval_expires_after": { "$ref": "#/components/schemas/Lifetime" },
            "freeze": { "description": "A window, or a list of them: `{time, duration, interval, \
                reason}`." },
            "drift_every": { "type": "string", "description": "Like `12h`, or `never`." },
            "promote_from": { "$ref": "#/components/schemas/StageName" },
            "parameters": { "$ref": "#/components/schemas/Parameters" },
            "services": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/ServiceSettings" } }
        }
    };
    Lifetime = {
        "type": "string", "pattern": "^[0-9]+[dh]$", "examples": ["7d", "12h"],
        "description": "A number of days or hours, 1h to 3650d."
    };
    Rule = {
        "type": "object",
        "description": "Exactly one of `branch`, `tag` and `preview`.",
        "properties": {
            "branch": { "type": "string", "description": "A name or a glob." },
            "tag": { "type": "string", "description": "A name or a glob." },
            "preview": { "type": "object", "description": "What makes previews, and ends them." },
            "stage": { "$ref": "#/components/schemas/StageName" },
            "trigger": { "type": "string", "enum": ["auto", "manual"] },
            "services": { "type": "array",
                "items": { "$ref": "#/components/schemas/ServiceName" } }
        }
    };
    Receiver = {
        "type": "object",
        "description": "Exactly one of `slack`, `webhook` and `email`; see docs/notifications.md.",
        "properties": {
            "slack": { "type": "object" },
            "webhook": { "type": "object" },
            "email": { "type": "object" },
            "stages": { "type": "array", "items": { "type": "string" } },
            "kinds": { "type": "array", "items": { "$ref": "#/components/schemas/StageKind" } },
            "events": { "type": "array", "items": { "type": "string" } }
        }
    };
    Settings = {
        "type": "object", "required": ["app", "repository", "default_profile", "profiles",
            "stages", "rules"],
        "description": "The settings in force; secret values never stand in them.",
        "properties": {
            "app": { "$ref": "#/components/schemas/AppName" },
            "repository": { "$ref": "#/components/schemas/RepositoryName" },
            "default_profile": { "$ref": "#/components/schemas/ProfileName" },
            "concurrency": { "type": "integer", "minimum": 1, "maximum": 1000 },
            "preview_limit": { "type": "integer", "minimum": 1, "maximum": 1000 },
            "personal": { "$ref": "#/components/schemas/PersonalSettings" },
            "profiles": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/Profile" } },
            "services": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/ServiceSettings" } },
            "stages": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/StageSettings" } },
            "rules": { "type": "array", "items": { "$ref": "#/components/schemas/Rule" } },
            "notifications": { "type": "object",
                "additionalProperties": { "$ref": "#/components/schemas/Receiver" } }
        }
    };
}
