//! Log groups: those whose names begin alike, and the deletion of one.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::signed::{Call, Service, Signed};

/// The log groups of one account and region.
pub(super) struct Groups<'s> {
    signed: &'s Signed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    log_groups: Vec<Group>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    log_group_name: Option<String>,
}

impl<'s> Groups<'s> {
    pub(super) fn new(signed: &'s Signed) -> Self {
        Self { signed }
    }

    /// The names that begin like this.
    pub(super) async fn below(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut asked = json!({ "logGroupNamePrefix": prefix });
            if let Some(token) = &token {
                asked["nextToken"] = json!(token);
            }
            let answer = self.call("DescribeLogGroups", &asked).await?;
            let page: Page = serde_json::from_slice(&answer).map_err(|error| Failure::Invalid {
                code: "Unreadable".to_owned(),
                message: format!("the list of log groups cannot be read: {error}"),
            })?;
            let groups = page.log_groups.into_iter().filter_map(|group| group.log_group_name);
            names.extend(groups.filter(|name| name.starts_with(prefix)));
            match page.next_token {
                Some(next) => token = Some(next),
                None => return Ok(names),
            }
        }
    }

    /// Whether there was such a group.
    pub(super) async fn delete(&self, name: &str) -> Result<bool, Failure> {
        match self.call("DeleteLogGroup", &json!({ "logGroupName": name })).await {
            Ok(_) => Ok(true),
            Err(Failure::Invalid { code, .. }) if code == "ResourceNotFoundException" => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn call(&self, operation: &str, asked: &Value) -> Result<bytes::Bytes, Failure> {
        let call = Call {
            service: Service::Logs,
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", format!("Logs_20140328.{operation}")),
            ],
            body: asked.to_string().into(),
        };
        self.signed.send(&call).await
    }
}
