//! Check: the URL's spelling. Knows the webhook URLs of Zapier, Make and n8n, what is copied instead of them by mistake,
//! and what goes wrong while copying.
//!
//! Only a URL that resembles one of them is criticized: any other may be right.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use super::distance::distance;
use super::finding::{Check, Finding};
use crate::stages::send::address::AddressPolicy;

/// Make's zones for customers.
const MAKE_ZONES: [&str; 4] = ["eu1", "eu2", "us1", "us2"];

/// What is copied along with a URL by mistake: blanks, quotes, brackets, punctuation.
const STRAY_ENDS: [&str; 10] = ["%20", "%09", "%C2%A0", "%E2%80%8B", "%22", "%3E", "'", ",", ")", ";"];

/// Judges the URL, under the policy that says where this host may send to.
pub fn spelling(url: &Url, policy: &AddressPolicy) -> Vec<Finding> {
    let host = url.host_str().unwrap_or_default();
    let found = [stray_end(url), twice(url), private(url, policy), mistyped(host).or_else(|| shape(url, host))];
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    if found.is_empty() {
        found.push(Finding::ok(Check::UrlSpelling, "nothing in the URL looks mistyped"));
    }
    found
}

fn problem(finding: String, what_to_do: String) -> Option<Finding> {
    Some(Finding::problem(Check::UrlSpelling, finding, what_to_do))
}

fn warning(finding: &str, what_to_do: &str) -> Option<Finding> {
    Some(Finding::warning(Check::UrlSpelling, finding, what_to_do))
}

fn stray_end(url: &Url) -> Option<Finding> {
    let mut intended = url.as_str();
    while let Some(shorter) = STRAY_ENDS.iter().find_map(|end| intended.strip_suffix(end)) {
        intended = shorter;
    }
    let stray = url.as_str().strip_prefix(intended).filter(|stray| !stray.is_empty())?;
    let finding = format!("the URL ends with `{stray}`, which was probably copied by mistake");
    problem(finding, format!("probably intended: {intended}"))
}

/// Finds `https://https://…`, where the second scheme becomes the host.
fn twice(url: &Url) -> Option<Finding> {
    let (scheme, host) = (url.scheme(), url.host_str()?);
    let rest = url.path().trim_start_matches('/');
    ["http", "https"].contains(&host).then_some(())?;
    problem(format!("the URL starts with {scheme}:// twice"), format!("probably intended: {host}://{rest}"))
}

fn private(url: &Url, policy: &AddressPolicy) -> Option<Finding> {
    let name = match url.host()? {
        Host::Ipv4(ip) => return literal(ip.into(), policy),
        Host::Ipv6(ip) => return literal(ip.into(), policy),
        Host::Domain(name) => name.trim_end_matches('.'),
    };
    if name == "localhost" || name.ends_with(".localhost") {
        return literal(Ipv4Addr::LOCALHOST.into(), policy);
    }
    let inside = ["local", "internal", "lan", "intranet", "home.arpa"];
    let inside =
        !name.contains('.') || inside.iter().any(|end| name.strip_suffix(end).is_some_and(|n| n.ends_with('.')));
    if !inside || !policy.allow_networks.is_empty() {
        return None;
    }
    warning("the URL's host name resolves only within one network", "use the receiver's public URL, or a tunnel to it")
}

fn literal(ip: IpAddr, policy: &AddressPolicy) -> Option<Finding> {
    if policy.allows(ip).unwrap_or(true) {
        return None;
    }
    if ip.is_loopback() {
        return warning(
            "the URL points to the machine that this host runs on, not to the one where it was copied",
            "use the receiver's public URL; for a receiver on your own machine, use a tunnel",
        );
    }
    warning("the URL points to an address that is not public", "use the receiver's public URL, or a tunnel to it")
}

/// Finds a host that is one typing error away from a known one.
fn mistyped(host: &str) -> Option<Finding> {
    let labels: Vec<_> = host.split('.').collect();
    let mut known = vec!["hooks.zapier.com".to_owned()];
    known.extend(MAKE_ZONES.map(|zone| format!("hook.{zone}.make.com")));
    if let [first, second, _, _] = labels[..] {
        known.push(format!("hook.{second}.make.com"));
        known.push(format!("{first}.app.n8n.cloud"));
    }
    if known.iter().any(|known| known == host) {
        return None;
    }
    let intended = known.iter().find(|known| distance(known, host) == 1)?;
    let what_to_do =
        format!("probably intended: {intended}. Copy the URL again, so that no one else receives the requests");
    problem(format!("the host `{host}` is one letter away from `{intended}`"), what_to_do)
}

/// Compares the URL of a known receiver with the form of its webhook URLs.
fn shape(url: &Url, host: &str) -> Option<Finding> {
    let path: Vec<_> = url.path().split('/').filter(|word| !word.is_empty()).collect();
    if host == "zapier.com" || host.ends_with(".zapier.com") {
        zapier(url, host, &path)
    } else if host == "make.com" || host.ends_with(".make.com") {
        make(url, host, &path)
    } else {
        n8n(host, &path)
    }
}

fn zapier(url: &Url, host: &str, path: &[&str]) -> Option<Finding> {
    let right = "copy the URL that the Zap's trigger Webhooks > Catch Hook shows on its Test tab: \
        https://hooks.zapier.com/hooks/catch/<number>/<id>/";
    if host != "hooks.zapier.com" {
        return problem(format!("`{url}` is a page of the Zapier editor, not a webhook"), right.to_owned());
    }
    match path {
        ["hooks", "catch" | "standard", account, _, ..] if account.bytes().all(|b| b.is_ascii_digit()) => {
            Some(Finding::ok(Check::UrlSpelling, "the URL looks like a Zapier webhook"))
        }
        _ => problem("the URL is not a complete Zapier Catch Hook URL".to_owned(), right.to_owned()),
    }
}

fn make(url: &Url, host: &str, path: &[&str]) -> Option<Finding> {
    let right = "copy the URL that the scenario's Custom webhook shows: https://hook.<zone>.make.com/<id>";
    let labels: Vec<_> = host.split('.').collect();
    match (&labels[..], path) {
        (["hook", _, "make", "com"], [_]) => {
            Some(Finding::ok(Check::UrlSpelling, "the URL looks like a Make custom webhook"))
        }
        (["hook", _, "make", "com"], _) => problem(
            "the URL is not a Make custom webhook: the webhook's id follows the host".to_owned(),
            right.to_owned(),
        ),
        _ => problem(format!("`{url}` is a page of the Make editor, not a webhook"), right.to_owned()),
    }
}

fn n8n(host: &str, path: &[&str]) -> Option<Finding> {
    let is_n8n = host.contains("n8n");
    match path {
        [.., "webhook-test", _] | ["webhook-test", ..] => warning(
            "the URL is an n8n test URL: it works for 120 seconds after a click on Listen, and responds 404 otherwise",
            "publish the workflow and use its Production URL, which has /webhook/ instead of /webhook-test/",
        ),
        ["webhook", _, ..] if is_n8n => {
            Some(Finding::ok(Check::UrlSpelling, "the URL looks like an n8n production URL"))
        }
        ["workflow", ..] | ["home", "workflows", ..] | ["projects", _, "workflows", ..] if is_n8n => problem(
            "the URL is a page of the n8n editor, not a webhook".to_owned(),
            "copy the Production URL that the workflow's Webhook node shows: https://<host>/webhook/<id>".to_owned(),
        ),
        _ => None,
    }
}
