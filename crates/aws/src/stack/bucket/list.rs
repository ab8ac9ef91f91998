//! What S3 lists, page by page. Pure.

use serde::Deserialize;

use crate::failure::Failure;
use crate::signed::decoded;

/// Where the next page begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    Last,
    After { key: String, id: String },
}

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Versioned {
    pub(super) key: String,
    /// `null` for an object without versions.
    pub(super) id: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct VersionPage {
    pub(super) versions: Vec<Versioned>,
    pub(super) next: Page,
}

/// An upload that was never ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) id: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct UploadPage {
    pub(super) uploads: Vec<Upload>,
    pub(super) next: Page,
}

/// Both listings; each has its own of these elements.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Listing {
    is_truncated: bool,
    encoding_type: Option<String>,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    #[serde(rename = "Version")]
    versions: Vec<Entry>,
    #[serde(rename = "DeleteMarker")]
    markers: Vec<Entry>,
    #[serde(rename = "Upload")]
    uploads: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    key: String,
    version_id: Option<String>,
    upload_id: Option<String>,
}

impl VersionPage {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let listing = read(body)?;
        let next = listing.next(listing.next_version_id_marker.as_ref())?;
        let versions = listing.versions.iter().chain(&listing.markers).map(|entry| {
            let id = entry.version_id.clone().unwrap_or_else(|| "null".to_owned());
            Ok(Versioned { key: listing.text(&entry.key)?, id })
        });
        Ok(Self { versions: versions.collect::<Result<_, Failure>>()?, next })
    }
}

impl UploadPage {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let listing = read(body)?;
        let next = listing.next(listing.next_upload_id_marker.as_ref())?;
        let uploads = listing.uploads.iter().filter_map(|entry| {
            let id = entry.upload_id.clone()?;
            Some(listing.text(&entry.key).map(|key| Upload { key, id }))
        });
        Ok(Self { uploads: uploads.collect::<Result<_, Failure>>()?, next })
    }
}

fn read(body: &[u8]) -> Result<Listing, Failure> {
    let text = std::str::from_utf8(body).map_err(|error| unreadable(&error.to_string()))?;
    quick_xml::de::from_str(text).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(detail: &str) -> Failure {
    let message = format!("S3's list of the bucket cannot be read: {detail}");
    Failure::Invalid { code: "Unreadable".to_owned(), message }
}

impl Listing {
    /// A truncated page that does not say where to go on would be read for ever.
    fn next(&self, id: Option<&String>) -> Result<Page, Failure> {
        if !self.is_truncated {
            return Ok(Page::Last);
        }
        match &self.next_key_marker {
            Some(key) => {
                Ok(Page::After { key: self.text(key)?, id: id.cloned().unwrap_or_default() })
            }
            None => Err(unreadable("it is not whole and does not say where it goes on")),
        }
    }

    /// A key as it is: S3 encodes those of a listing when it is asked to and says so.
    fn text(&self, key: &str) -> Result<String, Failure> {
        if self.encoding_type.as_deref() != Some("url") {
            return Ok(key.to_owned());
        }
        decoded(key).ok_or_else(|| unreadable(&format!("{key:?} is no encoded name")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versioned(key: &str, id: &str) -> Versioned {
        Versioned { key: key.to_owned(), id: id.to_owned() }
    }

    #[test]
    fn versions_and_markers_are_read_in_any_order_with_the_page_that_follows() {
        let body = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><Prefix/><KeyMarker/><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>
  <IsTruncated>true</IsTruncated>
  <NextKeyMarker>a+b%2Bc</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker>
  <Version><Key>a+b%2Bc</Key><VersionId>v1</VersionId><Size>3</Size></Version>
  <DeleteMarker><Key>gone</Key><VersionId>v2</VersionId></DeleteMarker>
  <Version><Key>plain</Key><VersionId>null</VersionId></Version>
</ListVersionsResult>"#;
        let page = VersionPage::parse(body.as_bytes()).expect("a listing");
        let expected =
            [versioned("a b+c", "v1"), versioned("plain", "null"), versioned("gone", "v2")];
        assert_eq!(page.versions, expected);
        assert_eq!(page.next, Page::After { key: "a b+c".to_owned(), id: "v9".to_owned() });
    }

    #[test]
    fn an_empty_bucket_lists_nothing() {
        let body = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";
        let page = VersionPage::parse(body.as_bytes()).expect("a listing");
        assert_eq!(page, VersionPage { versions: Vec::new(), next: Page::Last });
    }

    #[test]
    fn names_are_read_as_they_are_unless_they_are_said_to_be_encoded() {
        let body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
                    <Upload><Key>50%+x</Key><UploadId>u1</UploadId></Upload>\
                    </ListMultipartUploadsResult>";
        let page = UploadPage::parse(body.as_bytes()).expect("a listing");
        assert_eq!(page.uploads, [Upload { key: "50%+x".to_owned(), id: "u1".to_owned() }]);
    }

    #[test]
    fn a_listing_that_does_not_say_how_it_goes_on_is_refused() {
        let body = "<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>";
        assert!(VersionPage::parse(body.as_bytes()).is_err());
        assert!(VersionPage::parse(b"<html>").is_err());
    }
}
