//! Where each service answers, and how it says what went wrong. Pure.

use http::StatusCode;
use serde::Deserialize;

use crate::endpoint::AwsEndpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    Logs,
}

/// S3's words, and those of CloudWatch Logs under other names.
#[derive(Deserialize)]
struct Told {
    #[serde(alias = "Code", alias = "__type")]
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl Service {
    /// As it stands in a signature.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Logs => "logs",
        }
    }

    /// The address without a slash at its end.
    pub(crate) fn base(self, region: &str, endpoint: &AwsEndpoint) -> String {
        if let Some(url) = &endpoint.url {
            return url.trim_end_matches('/').to_owned();
        }
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://{}.{region}.amazonaws.com{suffix}", self.name())
    }

    /// Code and message of an answer that is no success.
    pub(super) fn error(self, body: &[u8], status: StatusCode) -> (String, String) {
        let told: Option<Told> = match self {
            Self::S3 => {
                std::str::from_utf8(body).ok().and_then(|body| quick_xml::de::from_str(body).ok())
            }
            Self::Logs => serde_json::from_slice(body).ok(),
        };
        let (code, message) = told.map_or((None, None), |told| (told.code, told.message));
        // A type may come with the namespace it is from.
        let code = code.map(|code| code.rsplit('#').next().unwrap_or_default().to_owned());
        let named = || status.canonical_reason().unwrap_or_default().replace(' ', "");
        (code.unwrap_or_else(named), message.unwrap_or_else(|| format!("it answers {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_answers_in_its_region_and_partition() {
        let base = |service: Service, region, url: Option<&str>| {
            let endpoint = AwsEndpoint { url: url.map(str::to_owned), ca_bundle_pem: None };
            service.base(region, &endpoint)
        };
        let s3 = Service::S3;
        assert_eq!(base(s3, "eu-west-1", None), "https://s3.eu-west-1.amazonaws.com");
        assert_eq!(base(s3, "cn-north-1", None), "https://s3.cn-north-1.amazonaws.com.cn");
        let local = base(Service::Logs, "eu-west-1", Some("https://127.0.0.1:1/"));
        assert_eq!(local, "https://127.0.0.1:1");
    }

    #[test]
    fn each_service_says_in_its_way_what_went_wrong() {
        let told = |service: Service, body: &str, status| {
            service.error(body.as_bytes(), StatusCode::from_u16(status).unwrap())
        };
        let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>gone</Message>\
                   <BucketName>b</BucketName></Error>";
        assert_eq!(told(Service::S3, xml, 404), pair("NoSuchBucket", "gone"));
        let json = r#"{"__type":"com.amazonaws.logs#ResourceNotFoundException","message":"no"}"#;
        assert_eq!(told(Service::Logs, json, 400), pair("ResourceNotFoundException", "no"));
        let bare = pair("ServiceUnavailable", "it answers 503 Service Unavailable");
        assert_eq!(told(Service::S3, "", 503), bare);
    }
}
