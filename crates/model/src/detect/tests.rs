//! What a commit's files make of it. A file a way of finding services; here is what they share.

mod auto;
mod compose;
mod named;

use super::*;
use crate::RepositoryName;
use crate::pipeline::{Commands, PipelineFile, ServiceEntry, Step};

const SAM: &str = "Transform: AWS::Serverless-2016-10-31\nResources: {}\n";
const TEMPLATE: &str = "AWSTemplateFormatVersion: '2010-09-09'\nResources: { T: { Type: AWS::SNS::Topic, Properties: { X: !Ref Y } } }\n";

/// A commit with these files; the text of each is there to be read.
struct Commit {
    files: BTreeSet<String>,
    texts: BTreeMap<String, Vec<u8>>,
}

impl Commit {
    fn new(files: &[(&str, &str)]) -> Self {
        let text = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        let texts: BTreeMap<String, Vec<u8>> = files.iter().map(text).collect();
        Self { files: texts.keys().cloned().collect(), texts }
    }

    /// Files whose text does not matter.
    fn of(paths: &[&str]) -> Self {
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "")).collect();
        Self::new(&files)
    }

    fn listing(&self) -> Listing<'_> {
        Listing { files: &self.files, texts: &self.texts }
    }
}

/// `name in path: framework by file` for each service.
fn shown(detected: &Detected) -> Vec<String> {
    detected
        .services
        .iter()
        .map(|Located { service, config }| {
            let by = config.as_deref().unwrap_or("its commands");
            format!("{} in {}: {} by {by}", service.name, service.path, service.framework.as_str())
        })
        .collect()
}
