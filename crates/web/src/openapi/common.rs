//! What operations have in common: the form of a problem, the answers that are problems, headers.

use serde_json::{Value, json};

/// An answer that is a problem: its status, its name among the components, and when it is given.
pub(super) struct Refusal {
    pub(super) status: &'static str,
    pub(super) name: &'static str,
    about: &'static str,
}

const fn refusal(status: &'static str, name: &'static str, about: &'static str) -> Refusal {
    Refusal { status, name, about }
}

pub(super) const REFUSALS: [Refusal; 11] = [
    refusal("400", "BadRequest", "The request cannot be read; `detail` says what of it."),
    refusal("401", "Unauthorized", "No token, or one that is not known, was revoked or is over."),
    refusal(
        "403",
        "Forbidden",
        "The token's role does not allow it; `detail` says which one does.",
    ),
    refusal("404", "NotFound", "There is no such thing, or none that the token may read."),
    refusal(
        "409",
        "Conflict",
        "Something stands in the way, which `detail` names; or the first \
        request with this Idempotency-Key is still under way.",
    ),
    refusal("413", "TooLarge", "The body is larger than what is taken."),
    refusal("415", "UnsupportedType", "The body is not sent as `application/json`."),
    refusal(
        "422",
        "Invalid",
        "A value is wrong: `errors` names each key; or this Idempotency-Key \
        came with another request before.",
    ),
    refusal(
        "500",
        "Internal",
        "Something went wrong inside the server, whose log has the reason \
        under `request_id`.",
    ),
    refusal("502", "Upstream", "GitHub does not answer as it should; trying again may help."),
    refusal("503", "Unavailable", "The server cannot do it now."),
];

pub(super) fn refusal_of(status: &str) -> Option<&'static Refusal> {
    REFUSALS.iter().find(|refusal| refusal.status == status)
}

impl Refusal {
    pub(super) fn reference(&self) -> Value {
        json!({ "$ref": format!("#/components/responses/{}", self.name) })
    }

    pub(super) fn response(&self) -> Value {
        let mut response = json!({ "description": self.about });
        problem(&mut response);
        if self.status == "401" {
            response["headers"]["www-authenticate"] =
                json!({ "schema": { "type": "string" }, "description": "How to show who calls." });
        }
        response
    }
}

/// Gives an answer the form of a problem.
pub(super) fn problem(response: &mut Value) {
    response["content"] = json!({
        "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
    });
    request_id(response);
}

/// Every answer carries it.
pub(super) fn request_id(response: &mut Value) {
    response["headers"]["x-request-id"] = json!({ "$ref": "#/components/headers/RequestId" });
}

pub(super) fn components() -> Value {
    let responses: serde_json::Map<String, Value> = REFUSALS
        .iter()
        .map(|refusal| (refusal.name.to_owned(), refusal.response()))
        .chain([("NotModified".to_owned(), not_modified())])
        .collect();
    json!({
        "securitySchemes": {
            "token": { "type": "http", "scheme": "bearer", "description": "A token of this server." },
        },
        "headers": {
            "RequestId": {
                "description": "Under which the server's log tells of this request.",
                "required": true,
                "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
            },
            "ETag": {
                "description": "Of the answer's content; send it as `If-None-Match`.",
                "required": true,
                "schema": { "type": "string", "pattern": "^(W/)?\"[\\x21\\x23-\\x7e]+\"$" },
            },
        },
        "parameters": {
            "IfNoneMatch": {
                "name": "If-None-Match", "in": "header", "required": false,
                "description": "The `ETag` of an earlier answer: 304 if nothing changed since.",
                "schema": { "type": "string" },
            },
            "IdempotencyKey": {
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "Chosen by the client, new for each thing it wants done, and sent \
                    again with the same request: what was done is not done twice, but answered as \
                    it was. Kept for 24 hours.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 255,
                    "pattern": "^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$" },
            },
        },
        "responses": responses,
    })
}

fn not_modified() -> Value {
    let mut response = json!({
        "description": "Nothing changed since the answer whose `ETag` was sent.",
        "headers": { "etag": { "$ref": "#/components/headers/ETag" } },
    });
    request_id(&mut response);
    response
}

/// RFC 9457, with what this server adds.
pub(super) fn schemas() -> [(&'static str, Value); 2] {
    let problem = json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "const": "about:blank" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "A sentence for whoever called." },
            "errors": {
                "type": "array",
                "description": "Each thing to mend in what was sent.",
                "items": {
                    "type": "object",
                    "required": ["key", "message"],
                    "properties": { "key": { "type": "string" }, "message": { "type": "string" } },
                },
            },
            "request_id": { "type": "string", "description": "As in the header `x-request-id`." },
        },
    });
    [("Problem", problem), ("Id", json!({ "type": "string", "format": "uuid" }))]
}
