//! Classifies send faults and words their messages, and tells apart what is the host's own.
//!
//! A message quotes the innermost error, since the outer ones only say which layer passed it on. It never contains the
//! URL, whose query may carry a token.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use super::SendError;
use super::address::AddressRefused;
use super::resolve::LookupError;
use hookmill_model::{SendFault, SendFaultCode};
use hyper_util::client::legacy;

/// An error of any layer.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Linux's and macOS's numbers of what a host lacks when it cannot open one more connection: descriptors of its own
/// (EMFILE) and of the machine (ENFILE), and buffers (ENOBUFS). Rust has no names for them.
const EXHAUSTED: [i32; 4] = [24, 23, 105, 55];

/// Returns whether an error means that this host lacks something: descriptors, memory, local ports.
pub(super) fn is_ours(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| EXHAUSTED.contains(&number))
        || matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::AddrNotAvailable)
}

/// Returns whether an error says that there is no local address or port to connect from.
pub(super) fn lacks_address(error: &(dyn Error + 'static)) -> bool {
    let mut kinds = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.any(|kind| kind == io::ErrorKind::AddrNotAvailable)
}

/// Returns why no descriptor can be had, if so.
pub(super) fn without_descriptors() -> Option<io::Error> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).err().filter(is_ours)
}

/// The machine has no address to connect from to any of the receiver's, which are IPv6 addresses only.
#[derive(Debug, thiserror::Error)]
#[error("the receiver has only IPv6 addresses, and this host has none")]
pub(super) struct NoIpv6;

/// No complete response within the timeout.
pub(super) fn timeout(timeout: Duration, status: Option<u16>) -> SendFault {
    let seconds = timeout.as_secs_f64();
    let message = match status {
        None => format!("no response within {seconds} s"),
        Some(status) => format!("the response started with status {status} but did not complete within {seconds} s"),
    };
    SendFault { code: SendFaultCode::Timeout, message }
}

/// The request cannot be written, for its URL or a header.
pub(super) fn unwritable(error: &http::Error) -> SendFault {
    SendFault { code: SendFaultCode::Protocol, message: format!("the request cannot be sent: {error}") }
}

/// The address policy refuses the URL.
pub(super) fn refused(refused: &AddressRefused) -> SendFault {
    SendFault { code: SendFaultCode::AddressRefused, message: refused.to_string() }
}

/// The request failed before a status was received.
///
/// # Errors
/// If the fault is the host's.
pub(super) fn before_answer(error: legacy::Error) -> Result<SendFault, SendError> {
    let looked_up = causes(&error).find_map(|cause| cause.downcast_ref::<LookupError>());
    let ours = causes(&error).any(|cause| cause.downcast_ref().is_some_and(is_ours));
    if ours || looked_up.is_some_and(LookupError::is_ours) {
        return Err(SendError::Host(error));
    }
    let (code, what) = if let Some(found) = causes(&error).find_map(|cause| cause.downcast_ref::<AddressRefused>()) {
        return Ok(refused(found));
    } else if causes(&error).any(is_tls) {
        (SendFaultCode::Tls, "the TLS handshake failed")
    } else if looked_up.is_some() {
        (SendFaultCode::Dns, "the host name did not resolve")
    } else if error.is_connect() {
        (SendFaultCode::Connect, "could not connect")
    } else {
        (SendFaultCode::Protocol, "no valid HTTP response")
    };
    Ok(SendFault { code, message: format!("{what}: {}", innermost(&error)) })
}

/// The response body was cut off.
pub(super) fn within_answer(error: &hyper::Error, status: u16) -> SendFault {
    let message = format!("the response started with status {status} but was cut off: {}", innermost(error));
    SendFault { code: SendFaultCode::AnswerBroken, message }
}

/// Returns whether the receiver says that it has not looked at the request (RFC 9113, 8.7): its connection ends, or the
/// stream is refused. Then sending it again at once repeats nothing.
pub(super) fn is_unprocessed(error: &legacy::Error) -> bool {
    causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()).is_some_and(|error| {
        let (reason, remote) = (error.reason(), error.is_remote());
        let ends = error.is_go_away() && reason == Some(h2::Reason::NO_ERROR);
        remote && (ends || (error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM)))
    })
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    error.is::<rustls::Error>()
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// An error and those below it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| below(*cause))
}

/// The error below. An `io::Error` hides what it wraps: it reports the source of that instead.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
