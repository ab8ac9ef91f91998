//! Small repositories for tests: one service, as little as the framework needs.

use std::collections::BTreeMap;

/// The files of a repository, by path.
#[derive(Clone)]
pub(crate) struct Sample(BTreeMap<String, String>);

impl Sample {
    /// Services that need no framework: `greenroom.yml` says how they are built. Each directory
    /// that it names has a file, as git keeps no empty ones.
    pub(crate) fn of(pipeline: &str) -> Self {
        let directories = pipeline.split("path: ").skip(1).map(|rest| {
            let end = rest.find([',', ' ', '\n', '}']).unwrap_or(rest.len());
            &rest[..end]
        });
        let empty = Self(BTreeMap::new()).file("greenroom.yml", pipeline);
        directories.fold(empty, |sample, directory| sample.file(&format!("{directory}/README"), ""))
    }

    /// A service of the Serverless Framework without tests, installed from a stored lock file.
    pub(crate) fn serverless(mut self, directory: &str, serverless: &str) -> Self {
        let from = fakes::sample_workshop().join("backend-database");
        let read = |name: &str| std::fs::read_to_string(from.join(name)).unwrap();
        let mut package: serde_json::Value = serde_json::from_str(&read("package.json")).unwrap();
        package["scripts"] = serde_json::json!({});
        for (name, text) in [
            ("package.json", package.to_string()),
            ("package-lock.json", read("package-lock.json")),
            ("serverless.yml", serverless.to_owned()),
        ] {
            self = self.file(&format!("{directory}/{name}"), &text);
        }
        self
    }

    /// One service `notes` with a table, osls and a JavaScript plugin of the repository's own. The
    /// framework's name for it is the test's alone, for tests share the accounts they deploy to.
    pub(crate) fn table(published_as: &str, plugin: &str) -> Self {
        let mut sample = Self(BTreeMap::new());
        let from = fakes::sample_workshop().join("backend-database");
        for name in ["package.json", "package-lock.json"] {
            let text = std::fs::read_to_string(from.join(name)).unwrap();
            sample = sample.file(&format!("notes/{name}"), &text);
        }
        sample
            .file("notes/serverless.yml", &SERVERLESS.replace("notes", published_as))
            .file("notes/plugin.js", &format!("module.exports = class {{\n{plugin}\n}};\n"))
            .file("greenroom.yml", "services:\n  notes: { path: notes, test: 'true' }\n")
    }

    /// One service `notes` that has only a test: JavaScript, as an ES module.
    pub(crate) fn tested_by(javascript: &str) -> Self {
        Self(BTreeMap::new())
            .file("notes/serverless.yml", SERVERLESS)
            .file(
                "notes/package.json",
                "{ \"private\": true, \"devDependencies\": { \"osls\": \"4.3.1\" } }",
            )
            .file("notes/check.mjs", javascript)
            .file(
                "greenroom.yml",
                "services:\n  notes: { path: notes, install: 'true', test: node check.mjs }\n",
            )
    }

    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn files(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
    }
}

const SERVERLESS: &str = "\
service: notes
provider:
  name: aws
  runtime: nodejs22.x
  region: ${opt:region, 'us-east-1'}
plugins: [./plugin.js]
resources:
  Resources:
    NotesTable:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: ${self:service}-${sls:stage}
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions:
          - { AttributeName: id, AttributeType: S }
        KeySchema:
          - { AttributeName: id, KeyType: HASH }
  Outputs:
    TableName: { Value: !Ref NotesTable }
";
