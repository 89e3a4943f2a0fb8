//! Checks: name resolution, the address policy, and TLS.

use std::net::IpAddr;

use url::{Host, Url};

use super::finding::{Check, Finding};
use crate::host::Host as State;
use crate::stages::send::address::AddressPolicy;
use hookmill_model::{Answer, SendFault, SendFaultCode, SpaceId};

/// The number of addresses that are shown; some names have dozens.
const ADDRESSES_SHOWN: usize = 8;

/// Resolves the URL's host and returns the finding and the addresses. For a name, the finding shows only addresses that
/// the policy allows: the others may reveal the operator's network.
pub(super) async fn dns(host: &State, space: &SpaceId, url: &Url) -> (Finding, Vec<IpAddr>) {
    let name = match url.host() {
        Some(Host::Domain(name)) => name,
        Some(Host::Ipv4(ip)) => return (literal(), vec![ip.into()]),
        Some(Host::Ipv6(ip)) => return (literal(), vec![ip.into()]),
        None => return (Finding::skipped(Check::Dns, "the URL has no host"), Vec::new()),
    };
    let unknown = |why: &str| {
        let finding = format!("the host name `{name}` does not resolve: {why}");
        let what_to_do =
            "check the spelling of the URL's host; if the name is new, its DNS entry may take some hours to appear";
        (Finding::problem(Check::Dns, finding, what_to_do), Vec::new())
    };
    match host.client.lookup(space, name).await {
        Err(err) => unknown(&err.to_string()),
        Ok(found) => {
            let mut addresses = found.to_vec();
            addresses.sort_unstable();
            addresses.dedup();
            let shown: Vec<_> = addresses.iter().copied().filter(|ip| allows(host.client.policy(), *ip)).collect();
            let to = if shown.is_empty() { String::new() } else { format!(" to {}", listed(&shown)) };
            (Finding::ok(Check::Dns, format!("`{name}` resolves{to}")), addresses)
        }
    }
}

/// Whether the policy allows an address. Without a descriptor nothing can be said against it.
fn allows(policy: &AddressPolicy, ip: IpAddr) -> bool {
    policy.allows(ip).unwrap_or(true)
}

fn literal() -> Finding {
    Finding::skipped(Check::Dns, "the URL's host is an IP address, so there is no name to resolve")
}

fn listed(addresses: &[IpAddr]) -> String {
    let shown: Vec<_> = addresses.iter().take(ADDRESSES_SHOWN).map(ToString::to_string).collect();
    let more = if addresses.len() > ADDRESSES_SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Judges whether the policy allows any of the addresses.
pub(super) fn address_policy(url: &Url, addresses: &[IpAddr], policy: &AddressPolicy) -> Finding {
    if addresses.is_empty() {
        return Finding::skipped(Check::AddressPolicy, "there is no address to check");
    }
    let (fine, refused): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(|ip| allows(policy, *ip));
    let refused_shown = match url.host() {
        Some(Host::Domain(_)) => "non-public addresses".to_owned(),
        _ => listed(&refused),
    };
    if fine.is_empty() {
        let finding = format!("requests to {refused_shown} are refused: only public addresses are allowed");
        let what_to_do = "use a public URL of the receiver; if the receiver is in the operator's own network, ask the \
            operator to add it to `send.allow_networks` in the configuration (or `serve --allow-network`)";
        return Finding::problem(Check::AddressPolicy, finding, what_to_do);
    }
    let but = if refused.is_empty() {
        String::new()
    } else {
        format!("; {refused_shown} are refused because `send.allow_networks` does not permit them")
    };
    Finding::ok(Check::AddressPolicy, format!("requests to {} are allowed{but}", listed(&fine)))
}

/// Judges TLS by the probe of the endpoint; `result` is none if the endpoint was not probed.
pub(super) fn tls(url: &Url, result: Option<&Result<Answer, SendFault>>) -> Finding {
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" {
        return Finding::skipped(Check::Tls, "the URL does not use https");
    }
    let fault = match result {
        None => return Finding::skipped(Check::Tls, "the endpoint was not contacted"),
        Some(Ok(_)) => None,
        Some(Err(fault)) => Some(fault),
    };
    match fault.map(|fault| fault.code) {
        None | Some(SendFaultCode::Protocol | SendFaultCode::AnswerBroken) => {
            Finding::ok(Check::Tls, format!("the TLS handshake succeeds, and the certificate is valid for `{host}`"))
        }
        Some(SendFaultCode::Tls) => {
            let message = fault.map_or("", |fault| fault.message.as_str());
            Finding::problem(Check::Tls, message, certificate_advice(message, host))
        }
        Some(SendFaultCode::AddressRefused | SendFaultCode::Dns | SendFaultCode::Connect | SendFaultCode::Timeout) => {
            Finding::skipped(Check::Tls, "the endpoint could not be reached, so TLS could not be checked")
        }
    }
}

/// Chooses advice by the message of the TLS library, which has more faults than there is specific advice for.
fn certificate_advice(message: &str, host: &str) -> String {
    let says = |phrase: &str| message.to_lowercase().contains(phrase);
    if says("expired") {
        "renew the receiver's certificate".to_owned()
    } else if says("not valid for name") {
        format!(
            "install a certificate for `{host}` at the receiver, or use the host name that its certificate is issued for"
        )
    } else if says("unknownissuer") || says("unknown issuer") {
        "install a certificate of a public authority at the receiver, including all intermediate certificates; for a \
         private authority, the operator sets `send.trusted_certificates`"
            .to_owned()
    } else if says("invalidcontenttype") || says("corrupt message") {
        "the server on this port does not speak TLS: check the port, or use http:// if that is intended".to_owned()
    } else {
        format!("check the receiver's TLS setup: it needs a valid certificate for `{host}` and TLS 1.2 or 1.3")
    }
}
