//! What somebody needs to make a deploy role: the template, the trust policy, the links. Pure.
//!
//! What always holds: what is given out is `docs/iam`, with this server and the profile filled in.

use serde_json::json;

use super::draft::Profile;
use crate::extract::escape;

const TEMPLATE: &str = include_str!("../../../../docs/iam/role.yml");
pub(crate) const STACK: &str = "greenroom-role";
/// Where a role's name is not said.
const ROLE: &str = "greenroom-deploy";

/// The CloudFormation template with its defaults filled in.
pub(crate) fn template(principal: Option<&str>, profile: &Profile) -> String {
    let mut text = String::with_capacity(TEMPLATE.len() + 200);
    let mut parameter = "";
    for line in TEMPLATE.lines() {
        match line {
            "  GreenroomPrincipal:" | "  ExternalId:" | "  RoleName:" => parameter = line.trim(),
            _ => {}
        }
        let default = match (parameter, principal) {
            ("GreenroomPrincipal:", Some(principal)) => Some(principal),
            ("ExternalId:", _) => Some(profile.external_id.as_str()),
            _ => None,
        };
        match default.filter(|_| line == "    Type: String") {
            Some(value) => {
                text.push_str(line);
                // a text of JSON is one of YAML
                text.push_str(&format!("\n    Default: {}\n", json!(value)));
            }
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// To paste into a role that somebody makes by hand.
pub(crate) fn trust_policy(principal: &str, external_id: &str) -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "GreenroomServerOnly",
            "Effect": "Allow",
            "Principal": { "AWS": principal },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
        }],
    });
    serde_json::to_string_pretty(&policy).unwrap_or_default()
}

/// The page of the console where a template is uploaded.
pub(crate) fn console(region: &str) -> String {
    let region = escape(region);
    format!(
        "https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks/create"
    )
}

/// The page of the console where all is filled in and one click makes the stack ("Create
/// quick-create links for stacks", CloudFormation user guide): it reads templates from S3 alone.
pub(crate) fn quick_create(principal: Option<&str>, profile: &Profile) -> Option<String> {
    let template = profile.template_url.trim();
    if template.is_empty() {
        return None;
    }
    let region = escape(&profile.region);
    let mut link = format!(
        "https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks/\
         quickcreate?templateURL={}&stackName={STACK}&param_ExternalId={}",
        escape(template),
        escape(&profile.external_id),
    );
    if let Some(principal) = principal {
        link.push_str(&format!("&param_GreenroomPrincipal={}", escape(principal)));
    }
    Some(link)
}

/// The same from a shell.
pub(crate) fn command(profile: &Profile) -> String {
    format!(
        "aws cloudformation deploy --stack-name {STACK} --template-file greenroom-role-{}.yml \
         --capabilities CAPABILITY_NAMED_IAM --region {}",
        profile.name, profile.region
    )
}

/// A role's ARN, of which people often have the account's number only.
pub(crate) fn role_arn(text: &str) -> String {
    let text = text.trim();
    let digits: String = text.chars().filter(|c| *c != '-' && *c != ' ').collect();
    if digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("arn:aws:iam::{digits}:role/{ROLE}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile { external_id: "greenroom-\"1\"".into(), ..Profile::new("development") }
    }

    fn tree(text: &str) -> serde_json::Value {
        let template = aws::Template::parse(text).expect("a template");
        serde_json::to_value(template.tree()).expect("JSON")
    }

    #[test]
    fn the_template_has_this_server_and_the_external_id_filled_in() {
        let principal = "arn:aws:iam::999999999999:role/server";
        let tree = tree(&template(Some(principal), &profile()));
        assert_eq!(tree["Parameters"]["GreenroomPrincipal"]["Default"], principal);
        assert_eq!(tree["Parameters"]["ExternalId"]["Default"], "greenroom-\"1\"");
        assert_eq!(tree["Parameters"]["RoleName"]["Default"], "greenroom-deploy");
    }

    /// Two texts that say the same must not part: the template and the policies to paste.
    #[test]
    fn the_template_has_the_policies_of_the_documents() {
        let tree = tree(TEMPLATE);
        let role = &tree["Resources"]["Role"]["Properties"];
        let deploy: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/iam/deploy-policy.json")).unwrap();
        let here = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        let there = deploy["Statement"].as_array().unwrap();
        assert_eq!(here.len(), there.len());
        for (here, there) in here.iter().zip(there) {
            assert_eq!(here["Sid"], there["Sid"]);
            assert_eq!(here["Action"], there["Action"], "{}", there["Sid"]);
            assert_eq!(here["Condition"], there["Condition"], "{}", there["Sid"]);
            let written = here["Resource"].to_string();
            for resource in there["Resource"].as_array().unwrap_or(&vec![there["Resource"].clone()])
            {
                let resource = resource.as_str().unwrap();
                let resource = resource
                    .replace("arn:aws:", "arn:${AWS::Partition}:")
                    .replace("ACCOUNT_ID", "${AWS::AccountId}");
                assert!(written.contains(&resource), "{resource} in {written}");
            }
        }
        let trust: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/iam/trust-policy.json")).unwrap();
        let trusted = &role["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trusted["Action"], trust["Statement"][0]["Action"]);
    }

    #[test]
    fn an_account_alone_means_the_usual_role() {
        let usual = "arn:aws:iam::111122223333:role/greenroom-deploy";
        assert_eq!(role_arn("1111-2222-3333"), usual);
        assert_eq!(role_arn(" 111122223333 "), usual);
        assert_eq!(role_arn("arn:aws:iam::1:role/x"), "arn:aws:iam::1:role/x");
    }

    #[test]
    fn a_quick_create_link_needs_a_template_in_s3_and_escapes_what_it_carries() {
        let mut profile = profile();
        assert_eq!(quick_create(None, &profile), None);
        profile.template_url = "https://bucket.s3.amazonaws.com/role.yml?a=b&c".into();
        let link = quick_create(Some("arn:aws:iam::1:role/x"), &profile).unwrap();
        assert!(
            link.contains(
                "templateURL=https%3A%2F%2Fbucket.s3.amazonaws.com%2Frole.yml%3Fa%3Db%26c&"
            ),
            "{link}"
        );
        assert!(link.contains("param_GreenroomPrincipal=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx"));
    }
}
