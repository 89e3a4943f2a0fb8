//! Tells the faults of sending apart, and says in words what happened.
//!
//! The words come from the innermost error, since the outer ones only say which layer passed it on. None of them holds
//! the URL: its query may carry a token.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::address::Refused;
use hookmill_model::{SendFault, SendFaultCode};

/// No whole answer in time.
pub(super) fn timeout(timeout: Duration, status: Option<u16>) -> SendFault {
    let seconds = timeout.as_secs_f64();
    let message = match status {
        None => format!("no answer within {seconds} s"),
        Some(status) => format!("the answer began with status {status} but did not end within {seconds} s"),
    };
    SendFault { code: SendFaultCode::Timeout, message }
}

/// The request failed before a status had come.
pub(super) fn before_answer(error: &reqwest::Error) -> SendFault {
    let (code, what) = if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        return SendFault { code: SendFaultCode::AddressRefused, message: refused.to_string() };
    } else if causes(error).any(is_tls) {
        (SendFaultCode::Tls, "no agreement on TLS")
    } else if error.is_dns() {
        (SendFaultCode::Dns, "the host's name did not resolve")
    } else if error.is_connect() {
        (SendFaultCode::Connect, "no connection")
    } else {
        (SendFaultCode::Protocol, "no valid answer")
    };
    SendFault { code, message: format!("{what}: {}", innermost(error)) }
}

/// The answer's body broke off.
pub(super) fn within_answer(error: &reqwest::Error, status: u16) -> SendFault {
    let message = format!("the answer began with status {status} but broke off: {}", innermost(error));
    SendFault { code: SendFaultCode::AnswerBroken, message }
}

/// Whether an error is one of TLS, or an `io::Error` around one, however often wrapped: that does not name what it wraps
/// as its source and has to be asked for it.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = || error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped().is_some_and(|inner| is_tls(inner))
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// What lies below reqwest's own error, which is the one that shows the URL.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
