//! Names that a template gives to resources.
//!
//! The limits are those of the property in the resource's page of the CloudFormation template
//! reference, or of the same parameter in the service's API reference, as each row says.

use serde_json::Value;

use super::name::{Characters, Rule, check as check_name};
use super::{View, refused};
use crate::finding::Finding;
use crate::template::{Resource, Text, one_or_many, placed, resources};

const DASH: Characters = Characters::Letters { others: "-", words: "letters, digits and dashes" };
const DASH_UNDERSCORE: Characters =
    Characters::Letters { others: "-_", words: "letters, digits, dashes and underscores" };
const DASH_UNDERSCORE_DOT: Characters =
    Characters::Letters { others: "-_.", words: "letters, digits, dashes, underscores and dots" };
const IAM: Characters =
    Characters::Letters { others: "_+=,.@-", words: "letters, digits and characters of _+=,.@-" };

const SHORTEN: &str = "shorten the name, or leave it out and CloudFormation makes one that fits";
const SHORTEN_FUNCTION: &str = "shorten the service's or the function's name (the Serverless Framework joins service, stage and function), or write a shorter one as the function's `name:`";
const SHORTEN_ROLE: &str = "shorten the service's name (the Serverless Framework joins service, stage and region), or write a shorter one as `provider.iam.role.name`";

const fn rule(
    what: &'static str,
    least: usize,
    most: usize,
    characters: Characters,
    shorten: &'static str,
) -> Rule {
    Rule { what, least, most, characters, shorten }
}

/// "Names must … be no longer than 64 characters": `CreateFunction`, AWS Lambda API.
const FUNCTION: Rule =
    rule("the name of a Lambda function", 1, 64, DASH_UNDERSCORE, SHORTEN_FUNCTION);
/// `PublishLayerVersion`, AWS Lambda API.
const LAYER: Rule = rule("the name of a Lambda layer", 1, 140, DASH_UNDERSCORE, SHORTEN);
/// "IAM and AWS STS quotas", IAM user guide: "IAM name requirements" and the table of lengths.
const ROLE: Rule = rule("the name of an IAM role", 1, 64, IAM, SHORTEN_ROLE);
const USER: Rule = rule("the name of an IAM user", 1, 64, IAM, SHORTEN);
const GROUP: Rule = rule("the name of an IAM group", 1, 128, IAM, SHORTEN);
const POLICY: Rule = rule("the name of an IAM policy", 1, 128, IAM, "shorten the name");
const INSTANCE_PROFILE: Rule = rule("the name of an instance profile", 0, 128, IAM, SHORTEN);
/// `CreateTable`, DynamoDB API.
const TABLE: Rule = rule("the name of a DynamoDB table", 3, 255, DASH_UNDERSCORE_DOT, SHORTEN);
const INDEX: Rule =
    rule("the name of a DynamoDB index", 3, 255, DASH_UNDERSCORE_DOT, "shorten the name");
/// `CreateQueue`, Amazon SQS API; the end `.fifo` counts.
const QUEUE: Rule = rule("the name of an SQS queue", 1, 80, DASH_UNDERSCORE, SHORTEN);
/// `CreateTopic`, Amazon SNS API; the end `.fifo` counts.
const TOPIC: Rule = rule("the name of an SNS topic", 1, 256, DASH_UNDERSCORE, SHORTEN);
/// `CreateLogGroup`, CloudWatch Logs API.
const LOG_GROUP: Rule = rule(
    "the name of a log group",
    1,
    512,
    Characters::Letters { others: "-_./#", words: "letters, digits and characters of -_./#" },
    SHORTEN,
);
/// `PutRule` and `CreateEventBus`, EventBridge API.
const EVENT_RULE: Rule = rule("the name of an event rule", 1, 64, DASH_UNDERSCORE_DOT, SHORTEN);
const EVENT_BUS: Rule = rule(
    "the name of an event bus",
    1,
    256,
    Characters::Letters { others: "-_./", words: "letters, digits and characters of -_./" },
    "shorten the name",
);
/// `CreateSchedule`, EventBridge Scheduler API.
const SCHEDULE: Rule = rule("the name of a schedule", 1, 64, DASH_UNDERSCORE_DOT, SHORTEN);
/// `CreateStateMachine`, Step Functions API.
const STATE_MACHINE: Rule = rule(
    "the name of a state machine",
    1,
    80,
    Characters::Without("<>{}[]?*\"#%\\^|~`$&,;:/"),
    SHORTEN,
);
/// `CreateStream`, Kinesis Data Streams API.
const STREAM: Rule = rule("the name of a Kinesis stream", 1, 128, DASH_UNDERSCORE_DOT, SHORTEN);
/// `CreateDeliveryStream`, Data Firehose API.
const FIREHOSE: Rule = rule("the name of a delivery stream", 1, 64, DASH_UNDERSCORE_DOT, SHORTEN);
/// `CreateSecret`, Secrets Manager API.
const SECRET: Rule = rule(
    "the name of a secret",
    0,
    512,
    Characters::Letters { others: "/_+=.@-", words: "letters, digits and characters of /_+=.@-" },
    SHORTEN,
);
/// `CreateUserPool`, Amazon Cognito API.
const USER_POOL: Rule = rule(
    "the name of a user pool",
    1,
    128,
    Characters::Letters {
        others: " _+=,.@-",
        words: "letters, digits, spaces and characters of _+=,.@-",
    },
    SHORTEN,
);
/// `CreateLoadBalancer` and `CreateTargetGroup`, Elastic Load Balancing API.
const LOAD_BALANCER: Rule = rule("the name of a load balancer", 1, 32, DASH, SHORTEN);
const TARGET_GROUP: Rule = rule("the name of a target group", 1, 32, DASH, SHORTEN);
/// "General purpose bucket naming rules", Amazon S3 user guide.
const BUCKET: Rule = rule(
    "the name of a bucket",
    3,
    63,
    Characters::Letters { others: "-.", words: "lowercase letters, digits, dashes and dots" },
    SHORTEN,
);

/// Resource type, property, rule.
const NAMES: [(&str, &str, Rule); 28] = [
    ("AWS::Lambda::Function", "FunctionName", FUNCTION),
    ("AWS::Serverless::Function", "FunctionName", FUNCTION),
    ("AWS::Lambda::LayerVersion", "LayerName", LAYER),
    ("AWS::Serverless::LayerVersion", "LayerName", LAYER),
    ("AWS::IAM::Role", "RoleName", ROLE),
    ("AWS::IAM::User", "UserName", USER),
    ("AWS::IAM::Group", "GroupName", GROUP),
    ("AWS::IAM::Policy", "PolicyName", POLICY),
    ("AWS::IAM::RolePolicy", "PolicyName", POLICY),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", POLICY),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName", INSTANCE_PROFILE),
    ("AWS::DynamoDB::Table", "TableName", TABLE),
    ("AWS::DynamoDB::GlobalTable", "TableName", TABLE),
    ("AWS::Serverless::SimpleTable", "TableName", TABLE),
    ("AWS::SQS::Queue", "QueueName", QUEUE),
    ("AWS::SNS::Topic", "TopicName", TOPIC),
    ("AWS::Logs::LogGroup", "LogGroupName", LOG_GROUP),
    ("AWS::Events::Rule", "Name", EVENT_RULE),
    ("AWS::Events::EventBus", "Name", EVENT_BUS),
    ("AWS::Scheduler::Schedule", "Name", SCHEDULE),
    ("AWS::StepFunctions::StateMachine", "StateMachineName", STATE_MACHINE),
    ("AWS::Serverless::StateMachine", "Name", STATE_MACHINE),
    ("AWS::Kinesis::Stream", "Name", STREAM),
    ("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", FIREHOSE),
    ("AWS::SecretsManager::Secret", "Name", SECRET),
    ("AWS::Cognito::UserPool", "UserPoolName", USER_POOL),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Name", LOAD_BALANCER),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Name", TARGET_GROUP),
];

pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    resources(view.template).flat_map(|resource| of(&resource, view)).collect()
}

fn of(resource: &Resource<'_>, view: &View<'_>) -> Vec<Finding> {
    let rules = NAMES.iter().filter(|(kind, ..)| *kind == resource.kind);
    let own = rules.flat_map(|(_, property, rule)| {
        let names = resource.property(property).map(one_or_many).unwrap_or_default();
        named(&names, &resource.place(property), view, |text, place| {
            check_name(rule, &without_fifo(resource.kind, text), place, view)
        })
    });
    own.chain(inner(resource, view)).chain(bucket(resource, view)).collect()
}

/// Where a name is wanted some resources also take the ARN of what is there already.
fn named(
    values: &[&Value],
    place: &str,
    view: &View<'_>,
    check: impl Fn(&Text, &str) -> Option<Finding>,
) -> Vec<Finding> {
    values
        .iter()
        .filter_map(|value| view.surroundings.text(value))
        .filter(|text| !text.shown().starts_with("arn:"))
        .filter_map(|text| check(&text, place))
        .collect()
}

/// The names inside a resource: of a role's policies and of a table's indexes.
fn inner(resource: &Resource<'_>, view: &View<'_>) -> Vec<Finding> {
    let lists: &[(&str, &str, Rule)] = match resource.kind {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            &[("Policies", "PolicyName", POLICY)]
        }
        "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => &[
            ("GlobalSecondaryIndexes", "IndexName", INDEX),
            ("LocalSecondaryIndexes", "IndexName", INDEX),
        ],
        _ => &[],
    };
    let mut found = Vec::new();
    for (list, key, rule) in lists {
        let Some(items) = resource.property(list) else { continue };
        for (place, item) in placed(items, &resource.place(list)) {
            let names = item.get(key).map(one_or_many).unwrap_or_default();
            let place = format!("{place}.{key}");
            found.extend(named(&names, &place, view, |text, place| {
                check_name(rule, text, place, view)
            }));
        }
    }
    found
}

/// `.fifo` ends the name of a queue or topic, and its dot is the only one. A dash is as long.
fn without_fifo(kind: &str, text: &Text) -> Text {
    match kind {
        "AWS::SQS::Queue" | "AWS::SNS::Topic" => text.with_end(".fifo", "-fifo"),
        _ => text.clone(),
    }
}

/// Beginnings and ends that are kept for S3's own use.
const RESERVED_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

fn bucket(resource: &Resource<'_>, view: &View<'_>) -> Vec<Finding> {
    if resource.kind != "AWS::S3::Bucket" {
        return Vec::new();
    }
    let names = resource.property("BucketName").map(one_or_many).unwrap_or_default();
    named(&names, &resource.place("BucketName"), view, |text, place| {
        check_name(&BUCKET, text, place, view).or_else(|| {
            let (problem, remedy) = bucket_form(text)?;
            Some(refused(place, format!("{problem}, and this one is {}", text.shown()), remedy))
        })
    })
}

fn bucket_form(text: &Text) -> Option<(&'static str, &'static str)> {
    // what is not known is taken for a letter, which is right everywhere
    let name = text.marked("x");
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_address =
        name.split('.').count() == 4 && name.chars().all(|c| c.is_ascii_digit() || c == '.');
    if text.literals().any(|part| part.chars().any(|c| c.is_ascii_uppercase())) {
        Some(("the name of a bucket has no capital letters", "write it in lowercase letters"))
    } else if !is_end(name.chars().next()) || !is_end(name.chars().last()) {
        Some((
            "the name of a bucket begins and ends with a letter or digit",
            "begin and end it with one",
        ))
    } else if name.contains("..") || is_address {
        Some((
            "the name of a bucket has no two dots together and is no IP address",
            "write it with dashes",
        ))
    } else if RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        || RESERVED_ENDS.iter().any(|end| name.ends_with(end))
    {
        Some((
            "S3 keeps names that begin with xn--, sthree- or amzn-s3-demo-, or end with -s3alias, --ol-s3, .mrap, --x-s3 or --table-s3, for itself",
            "begin and end it otherwise",
        ))
    } else {
        None
    }
}
