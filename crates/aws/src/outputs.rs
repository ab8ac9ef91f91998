//! Which outputs of a stack are addresses that people can open.
//!
//! The Serverless Framework names its own (`ServiceEndpoint`, `HttpApiUrl`, …); of all others
//! a value that is a URL of something that serves people counts. Pure.

use std::collections::BTreeMap;

/// One address a service is reached at, with the output it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl {
    pub output: String,
    pub url: String,
}

/// Outputs the framework writes for its own entry points, in the order they are shown.
const WELL_KNOWN: [&str; 3] = ["ServiceEndpoint", "HttpApiUrl", "ServiceEndpointWebsocket"];

/// The addresses among a stack's outputs: the framework's own first, then by name, each once.
pub fn endpoints(outputs: &BTreeMap<String, String>) -> Vec<ServiceUrl> {
    let well_known = WELL_KNOWN.iter().filter_map(|name| outputs.get_key_value(*name));
    let others = outputs
        .iter()
        .filter(|(name, value)| !WELL_KNOWN.contains(&name.as_str()) && serves_people(value));
    let mut found: Vec<ServiceUrl> = Vec::new();
    for (output, url) in well_known.chain(others) {
        if !found.iter().any(|seen| &seen.url == url) {
            found.push(ServiceUrl { output: output.clone(), url: url.clone() });
        }
    }
    found
}

/// A URL, but not one of an AWS API that only programs speak (queues, buckets' REST, ECR).
fn serves_people(value: &str) -> bool {
    let Some(rest) = value.strip_prefix("https://").or_else(|| value.strip_prefix("wss://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let program_only = host.ends_with(".amazonaws.com")
        && !host.contains(".execute-api.")
        && !host.contains(".elb.")
        && !host.contains(".s3-website");
    !host.is_empty() && !value.contains(char::is_whitespace) && !program_only
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(outputs: &[(&str, &str)]) -> Vec<String> {
        let outputs =
            outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        endpoints(&outputs).into_iter().map(|endpoint| endpoint.output).collect()
    }

    #[test]
    fn the_frameworks_entry_points_come_first() {
        let outputs = [
            ("AdminUrl", "https://admin.example.com"),
            ("HttpApiUrl", "https://b.execute-api.us-east-1.amazonaws.com"),
            ("ServiceEndpoint", "https://a.execute-api.us-east-1.amazonaws.com/dev"),
        ];
        assert_eq!(named(&outputs), ["ServiceEndpoint", "HttpApiUrl", "AdminUrl"]);
    }

    #[test]
    fn function_urls_and_websockets_are_endpoints() {
        let outputs = [
            ("HelloUrl", "https://abc.lambda-url.us-east-1.on.aws/"),
            ("ServiceEndpointWebsocket", "wss://c.execute-api.us-east-1.amazonaws.com/dev"),
        ];
        assert_eq!(named(&outputs), ["ServiceEndpointWebsocket", "HelloUrl"]);
    }

    #[test]
    fn names_queues_and_buckets_are_not() {
        let outputs = [
            ("Bucket", "acme-uploads"),
            ("QueueUrl", "https://sqs.us-east-1.amazonaws.com/111111111111/work"),
            ("Template", "https://s3.amazonaws.com/bucket/template.json"),
            ("Nothing", "https://"),
            ("Prose", "https://example.com is the address"),
        ];
        assert!(named(&outputs).is_empty());
    }

    #[test]
    fn one_address_is_listed_once() {
        let outputs = [("Again", "https://x.example.com"), ("HttpApiUrl", "https://x.example.com")];
        assert_eq!(named(&outputs), ["HttpApiUrl"]);
    }
}
