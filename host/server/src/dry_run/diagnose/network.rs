//! The way to the endpoint: its name, the addresses behind it, and TLS.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use super::finding::{Check, Finding};
use crate::stages::send::address::allowed;
use hookmill_model::{Answer, SendFault, SendFaultCode};

/// More than resolvers take that answer at all.
const LOOKUP_WITHIN: Duration = Duration::from_secs(5);

/// Addresses that are told of; some names have dozens.
const ADDRESSES_SHOWN: usize = 8;

/// Resolves the URL's host; what it found, and the addresses. Of a name, only those are told that may be sent to: the
/// others are the operator's own, and nobody else's to know.
pub(super) async fn dns(url: &Url, allow_networks: &[IpNet]) -> (Finding, Vec<IpAddr>) {
    let name = match url.host() {
        Some(Host::Domain(name)) => name,
        Some(Host::Ipv4(ip)) => return (literal(), vec![ip.into()]),
        Some(Host::Ipv6(ip)) => return (literal(), vec![ip.into()]),
        None => return (Finding::skipped(Check::Dns, "the URL has no host"), Vec::new()),
    };
    let unknown = |why: &str| {
        let finding = format!("the name `{name}` does not resolve: {why}");
        let what_to_do = "look for a typing error in the URL's host; if it is new, its DNS entry may take some hours";
        (Finding::problem(Check::Dns, finding, what_to_do), Vec::new())
    };
    match tokio::time::timeout(LOOKUP_WITHIN, tokio::net::lookup_host((name, 0))).await {
        Err(_) => unknown(&format!("no answer within {} s", LOOKUP_WITHIN.as_secs())),
        Ok(Err(err)) => unknown(&err.to_string()),
        Ok(Ok(found)) => {
            let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            let told: Vec<_> = addresses.iter().copied().filter(|address| allowed(*address, allow_networks)).collect();
            let to = if told.is_empty() { String::new() } else { format!(" to {}", listed(&told)) };
            (Finding::ok(Check::Dns, format!("`{name}` resolves{to}")), addresses)
        }
    }
}

fn literal() -> Finding {
    Finding::skipped(Check::Dns, "the URL has an address in the place of a name")
}

fn listed(addresses: &[IpAddr]) -> String {
    let shown: Vec<_> = addresses.iter().take(ADDRESSES_SHOWN).map(ToString::to_string).collect();
    let more = if addresses.len() > ADDRESSES_SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Whether any of the addresses may be sent to.
pub(super) fn address_policy(url: &Url, addresses: &[IpAddr], allow_networks: &[IpNet]) -> Finding {
    if addresses.is_empty() {
        return Finding::skipped(Check::AddressPolicy, "there is no address to look at");
    }
    let (fine, refused): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| allowed(*address, allow_networks));
    let refused_told = match url.host() {
        Some(Host::Domain(_)) => "addresses that are not public".to_owned(),
        _ => listed(&refused),
    };
    if fine.is_empty() {
        let finding = format!("nothing is sent to {refused_told}: only public addresses are allowed");
        let what_to_do = "use a public URL of the receiver; if it belongs to the operator's own network, the operator \
            allows it by `send.allow_networks` in the configuration (or `serve --allow-network`)";
        return Finding::problem(Check::AddressPolicy, finding, what_to_do);
    }
    let but = if refused.is_empty() {
        String::new()
    } else {
        format!("; not to {refused_told}, which `send.allow_networks` does not allow")
    };
    Finding::ok(Check::AddressPolicy, format!("{} may be sent to{but}", listed(&fine)))
}

/// Whether TLS came about when the endpoint was asked; `result` is none if it was not.
pub(super) fn tls(url: &Url, result: Option<&Result<Answer, SendFault>>) -> Finding {
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" {
        return Finding::skipped(Check::Tls, "the URL is no https");
    }
    let fault = match result {
        None => return Finding::skipped(Check::Tls, "the endpoint was not asked"),
        Some(Ok(_)) => None,
        Some(Err(fault)) => Some(fault),
    };
    match fault.map(|fault| fault.code) {
        None | Some(SendFaultCode::Protocol | SendFaultCode::AnswerBroken) => {
            Finding::ok(Check::Tls, format!("a TLS connection comes about, and the certificate is valid for `{host}`"))
        }
        Some(SendFaultCode::Tls) => {
            let message = fault.map_or("", |fault| fault.message.as_str());
            Finding::problem(Check::Tls, message, certificate_advice(message, host))
        }
        Some(SendFaultCode::AddressRefused | SendFaultCode::Dns | SendFaultCode::Connect | SendFaultCode::Timeout) => {
            Finding::skipped(Check::Tls, "the endpoint did not answer, so nothing is known of its TLS")
        }
    }
}

/// By the words of the TLS library, which knows many more faults than have an advice of their own.
fn certificate_advice(message: &str, host: &str) -> String {
    let says = |words: &str| message.to_lowercase().contains(words);
    if says("expired") {
        "renew the receiver's certificate".to_owned()
    } else if says("not valid for name") {
        format!("give the receiver a certificate for `{host}`, or use the name that its certificate is for")
    } else if says("unknownissuer") || says("unknown issuer") {
        "give the receiver a certificate of a public authority, with all certificates between; for an authority of your \
         own, the operator sets `send.trusted_certificates`"
            .to_owned()
    } else if says("invalidcontenttype") || says("corrupt message") {
        "what listens there speaks no TLS: look at the port, or use http:// if that is meant".to_owned()
    } else {
        format!("look at the receiver's TLS: it needs a valid certificate for `{host}` and TLS 1.2 or 1.3")
    }
}
