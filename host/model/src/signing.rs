//! The signing schemes of subscriptions.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Invalid, Secret, Template};

/// A signing scheme. Variants without members have braces so that serde refuses unknown members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "snake_case", deny_unknown_fields)]
pub enum Signing {
    /// Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    Standard {
        /// The algorithm of new secrets; each request is signed with every secret, by the algorithm of its kind.
        #[serde(default)]
        algorithm: StandardAlgorithm,
    },
    /// Livespace's scheme: `X-Livespace-Signature`, hexadecimal HMAC-SHA256 over the URL and the body.
    Livespace {},
    /// Breakcold's scheme: `X-Webhook-Signature`, `sha256=` and hexadecimal HMAC-SHA256 over `timestamp.body`, with
    /// `X-Webhook-Timestamp`.
    Breakcold {},
    /// Any other HMAC.
    Hmac(HmacScheme),
    /// No signature.
    None {},
}

/// The two kinds of signature of Standard Webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StandardAlgorithm {
    /// `v1`, with a shared secret (`whsec_…`).
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// `v1a`, with a private key (`whsk_…`) whose public key the receiver has (`whpk_…`).
    #[serde(rename = "ed25519")]
    Ed25519,
}

/// An HMAC in a header, as used by GitHub, Shopify, Stripe and many others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacScheme {
    /// The hash.
    #[serde(default)]
    pub algorithm: HmacAlgorithm,
    /// The header that carries the signature.
    pub header: String,
    /// The text before the signature in the header: `sha256=`, or `t={timestamp},v1=`.
    #[serde(default = "nothing")]
    pub prefix: Template,
    /// The encoding of the signature.
    #[serde(default)]
    pub encoding: SignatureEncoding,
    /// The signed content: `{url}`, `{timestamp}`, `{id}` and `{body}` with text between them.
    #[serde(default = "the_body")]
    pub signed: Template,
    /// A header that carries the timestamp, in unix seconds.
    #[serde(default)]
    pub timestamp_header: Option<String>,
}

/// The hash of an HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HmacAlgorithm {
    /// For receivers without support for a better one.
    Sha1,
    /// The usual one.
    #[default]
    Sha256,
    /// For receivers that require it.
    Sha512,
}

/// The encoding of a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureEncoding {
    /// In hexadecimal, lower case.
    #[default]
    Hex,
    /// In base64, with padding.
    Base64,
}

fn nothing() -> Template {
    template("")
}

fn the_body() -> Template {
    template("{body}")
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("the templates of this module have matching braces")
}

/// According to the vendor's developer pages: the signature covers the endpoint's whole URL and the raw body.
static LIVESPACE: LazyLock<HmacScheme> = LazyLock::new(|| HmacScheme {
    algorithm: HmacAlgorithm::Sha256,
    header: "X-Livespace-Signature".to_owned(),
    prefix: nothing(),
    encoding: SignatureEncoding::Hex,
    signed: template("{url}{body}"),
    timestamp_header: None,
});

/// According to the vendor's developer pages on the newer generation of its webhooks.
static BREAKCOLD: LazyLock<HmacScheme> = LazyLock::new(|| HmacScheme {
    algorithm: HmacAlgorithm::Sha256,
    header: "X-Webhook-Signature".to_owned(),
    prefix: template("sha256="),
    encoding: SignatureEncoding::Hex,
    signed: template("{timestamp}.{body}"),
    timestamp_header: Some("X-Webhook-Timestamp".to_owned()),
});

impl Default for Signing {
    fn default() -> Self {
        Self::Standard { algorithm: StandardAlgorithm::HmacSha256 }
    }
}

impl Signing {
    /// Returns the HMAC scheme, if it is an HMAC in a single header.
    pub fn hmac(&self) -> Option<&HmacScheme> {
        match self {
            Self::Livespace {} => Some(&LIVESPACE),
            Self::Breakcold {} => Some(&BREAKCOLD),
            Self::Hmac(scheme) => Some(scheme),
            Self::Standard { .. } | Self::None {} => None,
        }
    }

    /// Generates a secret of the kind that the scheme signs with.
    pub fn new_secret(&self) -> Secret {
        match self {
            Self::Standard { algorithm: StandardAlgorithm::HmacSha256 } => Secret::generate(),
            Self::Standard { algorithm: StandardAlgorithm::Ed25519 } => Secret::generate_ed25519(),
            Self::Livespace {} | Self::Breakcold {} | Self::Hmac(_) | Self::None {} => Secret::generate_text(),
        }
    }

    /// Checks that the scheme can sign with this secret.
    ///
    /// # Errors
    /// If it cannot. The message states what the scheme needs, and does not contain the secret.
    pub fn check_secret(&self, secret: &Secret) -> Result<(), Invalid> {
        let Self::Standard { .. } = self else { return Ok(()) };
        let shared = secret.decode("whsec_").is_some_and(|bytes| (24..=64).contains(&bytes.len()));
        let private = secret.decode("whsk_").is_some_and(|bytes| matches!(bytes.len(), 32 | 64));
        if shared || private {
            return Ok(());
        }
        Err(Invalid::new(
            "a signing secret of Standard Webhooks is whsec_ followed by 24 to 64 bytes in base64, \
             or whsk_ followed by the 32 or 64 bytes of an Ed25519 private key in base64",
        ))
    }
}
