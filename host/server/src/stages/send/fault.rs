//! Classifies send faults and words their messages.
//!
//! A message quotes the innermost error, since the outer ones only say which layer passed it on. It never contains the
//! URL, whose query may carry a token.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::address::Refused;
use hookmill_model::{SendFault, SendFaultCode};

/// No complete response within the timeout.
pub(super) fn timeout(timeout: Duration, status: Option<u16>) -> SendFault {
    let seconds = timeout.as_secs_f64();
    let message = match status {
        None => format!("no response within {seconds} s"),
        Some(status) => format!("the response started with status {status} but did not complete within {seconds} s"),
    };
    SendFault { code: SendFaultCode::Timeout, message }
}

/// The request failed before a status was received.
pub(super) fn before_answer(error: &reqwest::Error) -> SendFault {
    let (code, what) = if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        return SendFault { code: SendFaultCode::AddressRefused, message: refused.to_string() };
    } else if causes(error).any(is_tls) {
        (SendFaultCode::Tls, "the TLS handshake failed")
    } else if error.is_dns() {
        (SendFaultCode::Dns, "the host name did not resolve")
    } else if error.is_connect() {
        (SendFaultCode::Connect, "could not connect")
    } else {
        (SendFaultCode::Protocol, "no valid HTTP response")
    };
    SendFault { code, message: format!("{what}: {}", innermost(error)) }
}

/// The response body was cut off.
pub(super) fn within_answer(error: &reqwest::Error, status: u16) -> SendFault {
    let message = format!("the response started with status {status} but was cut off: {}", innermost(error));
    SendFault { code: SendFaultCode::AnswerBroken, message }
}

/// Returns whether an error is a TLS error, or an `io::Error` around one at any depth: an `io::Error` does not report
/// what it wraps as its source.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = || error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped().is_some_and(|inner| is_tls(inner))
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// The errors below reqwest's own, which is the one that shows the URL.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
