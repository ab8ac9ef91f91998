//! A bucket emptied, so that CloudFormation can delete it: every version, every delete marker, and
//! every upload that was begun and never ended.
//!
//! What always holds: only the bucket of the stack's own account is touched, for a name that was
//! given up may be another's by now. What S3 does not delete (a lock, a policy) is told by its
//! name, and everything else is deleted nonetheless. After a crash the next call empties the rest.

mod list;
mod order;

use http::Method;

use super::holdings::Bucket;
use crate::failure::Failure;
use crate::signed::{Call, Service, Signed, encoded, encoded_path};
use list::{Page, UploadPage, VersionPage, Versioned};

/// A bucket that is still written to may have something new after it was gone through; one that
/// is written to faster than this is not going to be empty at all.
const ROUNDS: usize = 3;
/// How many refusals are told; there may be as many as objects.
const TOLD: usize = 3;

/// What was done to a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Emptied {
    pub(super) versions: usize,
    pub(super) uploads: usize,
    refused: usize,
    /// The first refusals, in words.
    examples: Vec<String>,
}

impl Emptied {
    pub(super) fn untouched(&self) -> bool {
        self.versions == 0 && self.uploads == 0
    }

    /// What S3 did not delete; `None`: the bucket is empty.
    pub(super) fn refusal(&self) -> Option<String> {
        (self.refused > 0).then(|| {
            let examples = self.examples.join("; ");
            let more = if self.refused > self.examples.len() { "; …" } else { "" };
            format!("{} could not be deleted: {examples}{more}", versions(self.refused))
        })
    }

    /// What was deleted, in words.
    pub(super) fn told(&self) -> String {
        match self.uploads {
            0 => format!("{} deleted", versions(self.versions)),
            1 => format!("{} and 1 unfinished upload deleted", versions(self.versions)),
            uploads => {
                format!("{} and {uploads} unfinished uploads deleted", versions(self.versions))
            }
        }
    }

    fn refuse(&mut self, key: &str, reason: &str) {
        self.refused += 1;
        if self.examples.len() < TOLD {
            self.examples.push(format!("{key} ({reason})"));
        }
    }
}

fn versions(count: usize) -> String {
    if count == 1 { "1 object version".to_owned() } else { format!("{count} object versions") }
}

/// Empties one bucket, page by page. `on_page` hears after each how many versions are gone by then.
pub(super) async fn empty(
    s3: &Signed,
    bucket: &Bucket,
    on_page: &mut (dyn FnMut(usize) + Send),
) -> Result<Emptied, Failure> {
    let emptying = Emptying { s3, bucket };
    let mut emptied = Emptied::default();
    for _ in 0..ROUNDS {
        let before = (emptied.versions, emptied.uploads);
        emptied.refused = 0;
        emptied.examples.clear();
        match emptying.versions(&mut emptied, on_page).await {
            Ok(()) => {}
            Err(failure) if is_gone(&failure) => return Ok(emptied),
            Err(failure) => return Err(failure),
        }
        emptying.uploads(&mut emptied).await?;
        if before == (emptied.versions, emptied.uploads) {
            break;
        }
    }
    Ok(emptied)
}

fn is_gone(failure: &Failure) -> bool {
    match failure {
        Failure::Invalid { code, .. } => code == "NoSuchBucket",
        Failure::NoCredentials(_)
        | Failure::BadCredentials(_)
        | Failure::Denied(_)
        | Failure::Unavailable(_) => false,
    }
}

struct Emptying<'e> {
    s3: &'e Signed,
    bucket: &'e Bucket,
}

impl Emptying<'_> {
    async fn versions(
        &self,
        emptied: &mut Emptied,
        on_page: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), Failure> {
        let mut from = String::new();
        loop {
            let listed = self.get(&format!("versions&encoding-type=url{from}")).await?;
            let page = VersionPage::parse(&listed)?;
            let (in_order, alone): (Vec<_>, Vec<_>) =
                page.versions.iter().partition(|version| order::can_hold(version));
            if !in_order.is_empty() {
                self.delete_together(&in_order, emptied).await?;
            }
            for version in alone {
                self.delete_alone(version, emptied).await?;
            }
            if !page.versions.is_empty() {
                on_page(emptied.versions);
            }
            match page.next {
                Page::Last => return Ok(()),
                Page::After { key, id } => {
                    let (key, id) = (encoded(&key), encoded(&id));
                    from = format!("&key-marker={key}&version-id-marker={id}");
                }
            }
        }
    }

    /// S3's way to delete up to 1000 at once.
    async fn delete_together(
        &self,
        versions: &[&Versioned],
        emptied: &mut Emptied,
    ) -> Result<(), Failure> {
        let order::Order { body, checksum } = order::of(versions);
        let mut call = self.call(Method::POST, "", "delete".to_owned());
        call.headers.push(("content-type", "application/xml".to_owned()));
        call.headers.push(("x-amz-checksum-sha256", checksum));
        call.body = body.into();
        let answer = self.s3.send(&call).await?;
        let refusals = order::refusals(&answer)?;
        emptied.versions += versions.len().saturating_sub(refusals.len());
        for (key, reason) in refusals {
            emptied.refuse(&key, &reason);
        }
        Ok(())
    }

    /// A name that XML cannot hold.
    async fn delete_alone(
        &self,
        version: &Versioned,
        emptied: &mut Emptied,
    ) -> Result<(), Failure> {
        let query = format!("versionId={}", encoded(&version.id));
        match self.s3.send(&self.call(Method::DELETE, &version.key, query)).await {
            Ok(_) => emptied.versions += 1,
            Err(failure) => {
                emptied.refuse(&version.key.escape_debug().to_string(), &said(failure)?);
            }
        }
        Ok(())
    }

    async fn uploads(&self, emptied: &mut Emptied) -> Result<(), Failure> {
        let mut from = String::new();
        loop {
            let listed = self.get(&format!("uploads&encoding-type=url{from}")).await?;
            let page = UploadPage::parse(&listed)?;
            for upload in &page.uploads {
                let query = format!("uploadId={}", encoded(&upload.id));
                match self.s3.send(&self.call(Method::DELETE, &upload.key, query)).await {
                    Ok(_) => emptied.uploads += 1,
                    // Ended or given up meanwhile.
                    Err(Failure::Invalid { code, .. }) if code == "NoSuchUpload" => {}
                    Err(failure) => emptied.refuse(&upload.key, &said(failure)?),
                }
            }
            match page.next {
                Page::Last => return Ok(()),
                Page::After { key, id } => {
                    let (key, id) = (encoded(&key), encoded(&id));
                    from = format!("&key-marker={key}&upload-id-marker={id}");
                }
            }
        }
    }

    async fn get(&self, query: &str) -> Result<bytes::Bytes, Failure> {
        self.s3.send(&self.call(Method::GET, "", query.to_owned())).await
    }

    /// With whose the bucket must be: S3 refuses the call when it is another's.
    fn call(&self, method: Method, key: &str, query: String) -> Call {
        let slash = if key.is_empty() { "" } else { "/" };
        Call {
            service: Service::S3,
            method,
            path: format!("/{}{slash}{}", encoded_path(&self.bucket.name), encoded_path(key)),
            query,
            headers: vec![("x-amz-expected-bucket-owner", self.bucket.account.clone())],
            body: bytes::Bytes::new(),
        }
    }
}

/// What S3 says against one object; what keeps all of them from going stays a failure.
fn said(failure: Failure) -> Result<String, Failure> {
    match failure {
        Failure::Denied(message) => Ok(message),
        Failure::Invalid { code, message } => Ok(format!("{code}: {message}")),
        Failure::NoCredentials(_) | Failure::BadCredentials(_) | Failure::Unavailable(_) => {
            Err(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_words() {
        let mut emptied = Emptied { versions: 1, ..Emptied::default() };
        assert_eq!(emptied.told(), "1 object version deleted");
        assert_eq!(emptied.refusal(), None);
        emptied.uploads = 2;
        assert_eq!(emptied.told(), "1 object version and 2 unfinished uploads deleted");
        for key in ["a", "b", "c", "d"] {
            emptied.refuse(key, "locked");
        }
        let refusal = emptied.refusal().expect("four are left");
        assert!(refusal.starts_with("4 object versions could not be deleted: a (locked); b"));
        assert!(refusal.ends_with("; …"), "{refusal}");
    }
}
