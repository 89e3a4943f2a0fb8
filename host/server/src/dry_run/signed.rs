//! Signed: the request of a delivery's last attempt as it would be sent now, for a person to send by hand.
//!
//! Secrets stay where they are: their values are masked, in headers and in the body, and the signature covers the bytes
//! that are shown, so that a receiver verifies it.

use http::HeaderValue;

use crate::dispatch::signed;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::stages::request::{as_sent, repeat};
use crate::stages::seal::{MASK, masked};
use hookmill_model::{DeliveryId, SentRequest, SpaceId, Subscription};

/// A request with a fresh signature.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// The request.
    pub request: SentRequest,
    /// Whether secrets in it are masked: a receiver that needs them refuses it.
    pub masked: bool,
}

/// Returns the request of a delivery's last attempt that sent one, signed now with its subscription's secrets.
///
/// # Errors
/// If the delivery does not exist or has sent nothing, its subscription was deleted, or the host fails.
pub async fn sign_last(host: &Host, space: &SpaceId, id: DeliveryId) -> Result<SignedRequest, Error> {
    let found = host.store.delivery(space, id).await?;
    let (delivery, attempts) = found.ok_or_else(|| Error::not_found("delivery", id))?;
    let last = attempts.into_iter().rev().find_map(|attempt| Some((attempt.request?, attempt.number)));
    let (sent, number) = last.ok_or_else(|| {
        Error::new(Code::DeliveryState, "no attempt of the delivery has sent a request: there is nothing to sign")
    })?;
    let compiled = host.registry.get(delivery.subscription_id).ok_or_else(|| {
        let detail = format!("subscription {} was deleted, and its secrets with it", delivery.subscription_id);
        Error::new(Code::SubscriptionState, detail)
    })?;
    sign(host, &compiled.subscription, id, &sent, number).map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))
}

fn sign(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    sent: &SentRequest,
    number: u32,
) -> anyhow::Result<SignedRequest> {
    let mut request = repeat(sent, &subscription.headers, number)?;
    request.body = masked(&request.body, &request.sealed);
    for sealed in std::mem::take(&mut request.sealed) {
        for value in request.headers.values_mut() {
            let text = String::from_utf8_lossy(value.as_bytes());
            if text.contains(&sealed.placeholder) {
                *value = HeaderValue::from_str(&text.replace(&sealed.placeholder, MASK))?;
            }
        }
    }
    let (unsealed, signature) = signed(host, subscription, id, &request);
    let signed = as_sent(&unsealed, &signature, &subscription.headers);
    let masked = !sent.sealed.is_empty() || signed.headers.iter().any(|(_, value)| value == MASK);
    Ok(SignedRequest { request: signed, masked })
}
