//! Signatures of the webhooks that are received.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use ring::hmac;
use standardwebhooks::Webhook;

use crate::remote::Usage;

/// What is checked.
pub(super) enum Verifier {
    /// Nothing: there is no secret.
    Nothing,
    /// Standard Webhooks, by the official library.
    Standard(Webhook),
    /// HMAC-SHA256 of the body in this header.
    Hmac(HeaderName, hmac::Key),
}

/// The result of a check.
pub(super) enum Verdict {
    NotChecked,
    Valid,
    Invalid(String),
}

impl Verifier {
    /// Makes the one for a secret.
    ///
    /// # Errors
    /// If the secret is not one of Standard Webhooks, and no header is given.
    pub(super) fn new(secret: Option<&str>, header: Option<HeaderName>) -> Result<Self, Usage> {
        let Some(secret) = secret else { return Ok(Self::Nothing) };
        if let Some(header) = header {
            return Ok(Self::Hmac(header, hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())));
        }
        let standard = secret.starts_with("whsec_").then(|| Webhook::new(secret).ok()).flatten();
        let expected = "expected whsec_ and base64; any other secret needs --hmac-header NAME";
        standard.map(Self::Standard).ok_or_else(|| Usage(format!("invalid --secret: {expected}")))
    }

    /// Checks a request.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Verdict {
        match self {
            Self::Nothing => Verdict::NotChecked,
            Self::Standard(webhook) => match webhook.verify(body, headers) {
                Ok(()) => Verdict::Valid,
                Err(err) => Verdict::Invalid(err.to_string()),
            },
            Self::Hmac(header, key) => {
                let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) else {
                    return Verdict::Invalid(format!("missing header {header}"));
                };
                let value = value.strip_prefix("sha256=").unwrap_or(value);
                let read = [hex::decode(value).ok(), STANDARD.decode(value).ok()];
                let matches = |mac: &Vec<u8>| hmac::verify(key, body, mac).is_ok();
                if read.iter().flatten().any(matches) {
                    Verdict::Valid
                } else {
                    Verdict::Invalid(format!("{header} is not the HMAC-SHA256 of the body"))
                }
            }
        }
    }
}
