//! The types of `model` that answers hold.

use super::wire;

wire! {
    LaptopSource = {
        "type": "object", "additionalProperties": false, "required": ["commit"],
        "description": "What the command runs with, as far as git can say.",
        "properties": {
            "commit": { "$ref": "#/components/schemas/CommitSha" },
            "pushed": { "oneOf": [{ "$ref": "#/components/schemas/CommitSha" }, { "type": "null" }],
                "description": "The newest commit below it that a remote has." },
            "branch": { "type": ["string", "null"] },
            "dirty": { "type": "boolean" }
        }
    };
    LaptopWish = {
        "type": "object", "additionalProperties": false, "required": ["service", "source"],
        "properties": {
            "service": { "$ref": "#/components/schemas/ServiceName" },
            "spec": { "type": ["object", "null"], "description": "The service as the clone has it; \
                without it, as the server knows it from other stages." },
            "region": { "oneOf": [{ "$ref": "#/components/schemas/Region" }, { "type": "null" }] },
            "purpose": { "$ref": "#/components/schemas/LaptopUse" },
            "command": { "type": "array", "items": { "type": "string" },
                "description": "Its words, without the values of parameters." },
            "source": { "$ref": "#/components/schemas/LaptopSource" },
            "machine": { "type": ["string", "null"] }
        }
    };
    AwsCredentials = {
        "type": "object",
        "required": ["access_key_id", "secret_access_key", "session_token", "expires_at"],
        "properties": {
            "access_key_id": { "type": "string" },
            "secret_access_key": { "type": "string" },
            "session_token": { "type": "string" },
            "expires_at": { "type": "string", "format": "date-time" }
        }
    };
    LaptopSession = {
        "type": "object",
        "required": ["id", "app", "stage", "stage_kind", "service", "region", "account",
            "environment", "parameters", "outputs", "stack_tags", "aws", "credentials"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "app": { "$ref": "#/components/schemas/AppName" },
            "stage": { "$ref": "#/components/schemas/StageName" },
            "stage_kind": { "$ref": "#/components/schemas/StageKind" },
            "service": { "$ref": "#/components/schemas/ServiceName" },
            "region": { "$ref": "#/components/schemas/Region" },
            "account": { "type": "string" },
            "environment": { "type": "object", "additionalProperties": { "type": "string" } },
            "parameters": { "type": "object", "additionalProperties": { "type": "string" } },
            "outputs": { "type": "object", "description": "For the plugin: the file that \
                GREENROOM_OUTPUTS_FILE names." },
            "stack_tags": { "type": "object", "additionalProperties": { "type": "string" } },
            "aws": { "type": "object" },
            "credentials": { "$ref": "#/components/schemas/AwsCredentials" },
            "stage_expires_at": { "type": ["string", "null"], "format": "date-time" }
        }
    };
    LaptopEnd = {
        "type": "object", "additionalProperties": false, "required": ["exit_code"],
        "properties": {
            "exit_code": { "type": "integer", "minimum": 0, "maximum": 255 },
            "declared": { "type": ["object", "null"], "description": "What the plugin left of the \
                service's `outputs:`, as `greenroom-outputs.json`." }
        }
    };
    Outside = {
        "type": "object", "required": ["at", "build", "reason"],
        "description": "What somebody else did to the stacks of an instance.",
        "properties": {
            "at": { "type": "string", "format": "date-time" },
            "build": { "type": "integer", "format": "int64",
                "description": "The build whose package job saw it." },
            "reason": { "type": "string", "description": "To which stacks, and what." }
        }
    };
    StackDrift = {
        "type": "object", "required": ["stack", "status"],
        "properties": {
            "stack": { "type": "string" },
            "status": {
                "type": "object", "required": ["status"],
                "properties": {
                    "status": { "type": "string",
                        "enum": ["in_sync", "drifted", "deleted", "not_checked"] },
                    "reason": { "type": "string",
                        "description": "Of `not_checked`: why nobody knows." },
                    "resources": { "type": "array",
                        "items": { "$ref": "#/components/schemas/DriftedResource" } }
                }
            }
        }
    };
    DriftedResource = {
        "type": "object", "required": ["logical_id", "resource_type", "deed"],
        "properties": {
            "logical_id": { "type": "string", "description": "Its name in the template." },
            "physical_id": { "type": "string", "description": "Its name in AWS." },
            "resource_type": { "type": "string", "examples": ["AWS::DynamoDB::Table"] },
            "deed": {
                "type": "object", "required": ["deed"],
                "properties": {
                    "deed": { "type": "string", "enum": ["modified", "deleted"] },
                    "differences": { "type": "array", "items": {
                        "type": "object", "required": ["path"],
                        "properties": {
                            "path": { "type": "string", "description": "A JSON pointer." },
                            "expected": { "type": ["string", "null"] },
                            "actual": { "type": ["string", "null"] }
                        }
                    } }
                }
            }
        }
    };
    StackChange = {
        "type": "object", "required": ["stack", "kind", "changes"],
        "description": "What a deploy will do to one stack.",
        "properties": {
            "stack": { "type": "string" },
            "kind": { "type": "string", "enum": ["new", "update"] },
            "changes": { "type": "array",
                "items": { "$ref": "#/components/schemas/ResourceChange" } },
            "note": { "type": "string", "description": "Why the list may not be whole." }
        }
    };
    ResourceChange = {
        "type": "object", "required": ["logical_id", "resource_type", "effect"],
        "properties": {
            "logical_id": { "type": "string", "description": "Its name in the template." },
            "physical_id": { "type": "string",
                "description": "Its name in AWS, if it has one already." },
            "resource_type": { "type": "string", "examples": ["AWS::DynamoDB::Table"] },
            "effect": { "type": "string",
                "enum": ["removed", "replaced", "may_be_replaced", "changed", "added"] },
            "because": { "type": "array", "items": { "type": "string" },
                "description": "The properties that make the change." }
        }
    };
    Finding = {
        "type": "object", "required": ["check", "level", "place", "problem", "remedy"],
        "description": "What is wrong with a package before it is deployed.",
        "properties": {
            "check": {
                "type": "object", "required": ["kind"],
                "properties": {
                    "kind": { "type": "string",
                        "enum": ["limit", "template", "outside", "safeguard", "approval"] },
                    "policy": { "type": "string",
                        "description": "Of `safeguard`: which one, as in the app file." }
                }
            },
            "level": { "type": "string", "enum": ["warning", "error"] },
            "place": { "type": "string" },
            "problem": { "type": "string" },
            "remedy": { "type": "string" }
        }
    };
    Asked = {
        "type": "object", "required": ["service", "region"],
        "description": "What a build would deploy of one service in one region.",
        "properties": {
            "service": { "$ref": "#/components/schemas/ServiceName" },
            "region": { "$ref": "#/components/schemas/Region" },
            "artifact": { "type": "string", "description": "SHA-256 of what would be deployed." },
            "change": { "type": "array",
                "items": { "$ref": "#/components/schemas/StackChange" } },
            "findings": { "type": "array", "items": { "$ref": "#/components/schemas/Finding" } }
        }
    };
    Progress = {
        "type": "object", "required": ["done", "total"],
        "description": "How far a change of stacks is, counted in resources.",
        "properties": {
            "done": { "type": "integer", "minimum": 0 },
            "total": { "type": "integer", "minimum": 0 },
            "doing": { "type": ["string", "null"], "examples": ["creating Table"] }
        }
    };
    Verdict = {
        "type": "object", "required": ["health", "reason"],
        "properties": {
            "health": { "$ref": "#/components/schemas/Health" },
            "reason": { "type": "string", "description": "A sentence." },
            "remedy": { "type": ["string", "null"],
                "description": "What to do about it; `null`: nothing needs doing." }
        }
    };
}
