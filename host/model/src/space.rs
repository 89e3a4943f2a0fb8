//! A space: the events, subscriptions and plugins of one tenant.

use email_address::{EmailAddress, Options};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FieldPath, Invalid, PluginKey, Quotas};

/// A space's id, chosen by its creator and used in every path: 1 to 63 of `a-z 0-9 -`, starting with a letter or digit (a
/// DNS label, so that it can become part of a host name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceId(String);

impl SpaceId {
    /// Parses a space's id.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ok = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-');
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("a space's id is 1 to 63 characters of a-z, 0-9 and -, not starting with -"))
        }
    }
}
crate::text_newtype!(SpaceId);

/// An e-mail address, without a display name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailAddress(String);

impl MailAddress {
    /// Parses an address. It must be ASCII: because of another address, a mail server may refuse a mail to all recipients.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bare = Options::default().without_display_text();
        if text.is_ascii() && EmailAddress::parse_with_options(text, bare).is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("an e-mail address is ASCII text such as ops@example.com"))
        }
    }
}
crate::text_newtype!(MailAddress);

/// How long a space keeps its events, deliveries and attempts. A member without a value has the host's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Days after its acceptance for which an event is kept, and after its end for which a delivery is.
    pub keep_days: Option<u32>,
    /// Bytes stored, beyond which the oldest are forgotten.
    pub keep_bytes: Option<u64>,
}

impl Retention {
    /// This, with a default's value for each member that has none.
    #[must_use]
    pub fn or(self, default: Self) -> Self {
        Self { keep_days: self.keep_days.or(default.keep_days), keep_bytes: self.keep_bytes.or(default.keep_bytes) }
    }
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Its id.
    pub id: SpaceId,
    /// A display name: at most 200 characters.
    pub name: String,
    /// The recipients of mails about failed deliveries: at most 50.
    pub administrators: Vec<MailAddress>,
    /// The public keys of those who may sign plugins: at most 10. If there is one, every plugin that enters the space must be
    /// signed.
    pub plugin_keys: Vec<PluginKey>,
    /// The paths of events' data whose values are indexed, so that events and deliveries are found by them: at most 5.
    pub indexed_paths: Vec<FieldPath>,
    /// How much of the host it may use.
    pub quotas: Quotas,
    /// How long it keeps its history.
    pub retention: Retention,
    /// When it was created.
    pub created_at: Timestamp,
}
