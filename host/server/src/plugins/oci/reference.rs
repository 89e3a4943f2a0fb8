//! A reference to a plugin in a registry.

use std::fmt;
use std::str::FromStr;

use hookmill_model::Digest;

use super::OciError;

/// `registry/repository:tag`, `registry/repository@sha256:…`, or both; a leading `oci://` is optional.
#[derive(Clone, Debug, PartialEq, Eq)]
// Boxed: it is in most errors, which should be small.
pub struct Reference(Box<oci_client::Reference>);

const EXPECTED: &str = "oci://registry/repository:tag or oci://registry/repository@sha256:…, in lower case";

impl Reference {
    /// Its tag.
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// The digest of the manifest that it pins.
    pub fn digest(&self) -> Option<Digest> {
        self.0.digest().and_then(|digest| digest.parse().ok())
    }

    /// The registry's host, and its port if it has one.
    pub fn registry(&self) -> &str {
        self.0.resolve_registry()
    }

    pub(super) fn inner(&self) -> &oci_client::Reference {
        &self.0
    }

    pub(super) fn with_digest(&self, digest: Digest) -> Self {
        let (registry, repository) = (self.0.registry().to_owned(), self.0.repository().to_owned());
        let digest = digest.to_string();
        Self(Box::new(match self.0.tag() {
            Some(tag) => oci_client::Reference::with_tag_and_digest(registry, repository, tag.to_owned(), digest),
            None => oci_client::Reference::with_digest(registry, repository, digest),
        }))
    }

    pub(super) fn without_tag(&self) -> Self {
        match self.0.digest() {
            Some(digest) => Self(Box::new(self.0.clone_with_digest(digest.to_owned()))),
            None => self.clone(),
        }
    }

    pub(super) fn wrong(&self, right: &'static str) -> OciError {
        OciError::Reference { text: self.to_string(), right }
    }
}

impl FromStr for Reference {
    type Err = OciError;

    fn from_str(text: &str) -> Result<Self, OciError> {
        let wrong = || OciError::Reference { text: text.chars().take(300).collect(), right: EXPECTED };
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        // In full: to other tools, a missing registry means Docker Hub, and a missing tag `latest`.
        let (registry, path) = bare.split_once('/').ok_or_else(wrong)?;
        let named = registry.contains(['.', ':']) || registry == "localhost";
        if !named || !path.contains([':', '@']) {
            return Err(wrong());
        }
        let reference: oci_client::Reference = bare.parse().map_err(|_| wrong())?;
        if reference.digest().is_some_and(|digest| digest.parse::<Digest>().is_err()) {
            return Err(wrong());
        }
        Ok(Self(Box::new(reference)))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}", self.0)
    }
}
