//! Whether the URL is what a receiver gives out: the shapes of Zapier's, Make's and n8n's, what is copied in their place
//! by mistake, and what goes wrong while copying.
//!
//! Only what nearly looks like one of them is spoken about: any other URL may be right.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use url::{Host, Url};

use super::distance::distance;
use super::finding::{Check, Finding};
use crate::stages::send::address::allowed;

/// Make's zones that its customers have.
const MAKE_ZONES: [&str; 4] = ["eu1", "eu2", "us1", "us2"];

/// What ends up behind a URL when it is copied with what stands around it: blanks, quotes, brackets, the end of a sentence.
const STRAY_ENDS: [&str; 10] = ["%20", "%09", "%C2%A0", "%E2%80%8B", "%22", "%3E", "'", ",", ")", ";"];

/// Looks at the URL; `allow_networks` are those that this host may send to although they are not public.
pub fn spelling(url: &Url, allow_networks: &[IpNet]) -> Vec<Finding> {
    let host = url.host_str().unwrap_or_default();
    let found = [stray_end(url), twice(url), private(url, allow_networks), mistyped(host).or_else(|| shape(url, host))];
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
    let mut meant = url.as_str();
    while let Some(shorter) = STRAY_ENDS.iter().find_map(|end| meant.strip_suffix(end)) {
        meant = shorter;
    }
    let stray = url.as_str().strip_prefix(meant).filter(|stray| !stray.is_empty())?;
    let finding = format!("the URL ends with `{stray}`, which was probably copied along with it");
    problem(finding, format!("probably meant: {meant}"))
}

/// `https://https://…`, of which the second becomes the host.
fn twice(url: &Url) -> Option<Finding> {
    let (scheme, host) = (url.scheme(), url.host_str()?);
    let meant = url.path().trim_start_matches('/');
    ["http", "https"].contains(&host).then_some(())?;
    problem(format!("the URL starts with {scheme}:// twice"), format!("probably meant: {host}://{meant}"))
}

fn private(url: &Url, allow_networks: &[IpNet]) -> Option<Finding> {
    let name = match url.host()? {
        Host::Ipv4(ip) => return literal(ip.into(), allow_networks),
        Host::Ipv6(ip) => return literal(ip.into(), allow_networks),
        Host::Domain(name) => name.trim_end_matches('.'),
    };
    if name == "localhost" || name.ends_with(".localhost") {
        return literal(Ipv4Addr::LOCALHOST.into(), allow_networks);
    }
    let inside = ["local", "internal", "lan", "intranet", "home.arpa"];
    let inside =
        !name.contains('.') || inside.iter().any(|end| name.strip_suffix(end).is_some_and(|n| n.ends_with('.')));
    if !inside || !allow_networks.is_empty() {
        return None;
    }
    warning(
        "the URL's host has a name that is known inside of one network only",
        "use the receiver's public URL, or a tunnel to it",
    )
}

fn literal(ip: IpAddr, allow_networks: &[IpNet]) -> Option<Finding> {
    if allowed(ip, allow_networks) {
        return None;
    }
    if ip.is_loopback() {
        return warning(
            "the URL leads to the machine that this host runs on, not to the one where it was copied",
            "use the receiver's public URL; for a receiver on your own machine, a tunnel to it",
        );
    }
    warning("the URL leads to an address that is not public", "use the receiver's public URL, or a tunnel to it")
}

/// A host that is one typing error away from one that is known.
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
    let meant = known.iter().find(|known| distance(known, host) == 1)?;
    let what_to_do = format!("probably meant: {meant}. Copy the URL anew, so that nobody else gets what is sent");
    problem(format!("the host `{host}` is one letter away from `{meant}`"), what_to_do)
}

/// Holds the URL of a known receiver against the shape that its webhooks have.
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
        return problem(
            format!("`{url}` is a page of Zapier's, where Zaps are made, and no webhook"),
            right.to_owned(),
        );
    }
    match path {
        ["hooks", "catch" | "standard", account, _, ..] if account.bytes().all(|b| b.is_ascii_digit()) => {
            Some(Finding::ok(Check::UrlSpelling, "the URL looks like a hook of Zapier's"))
        }
        _ => problem("the URL is not all of a Catch Hook of Zapier's".to_owned(), right.to_owned()),
    }
}

fn make(url: &Url, host: &str, path: &[&str]) -> Option<Finding> {
    let right = "copy the URL that the scenario's Custom webhook shows: https://hook.<zone>.make.com/<id>";
    let labels: Vec<_> = host.split('.').collect();
    match (&labels[..], path) {
        (["hook", _, "make", "com"], [_]) => {
            Some(Finding::ok(Check::UrlSpelling, "the URL looks like a custom webhook of Make's"))
        }
        (["hook", _, "make", "com"], _) => problem(
            "the URL is not a custom webhook of Make's: that has its id behind the host".to_owned(),
            right.to_owned(),
        ),
        _ => {
            problem(format!("`{url}` is a page of Make's, where scenarios are made, and no webhook"), right.to_owned())
        }
    }
}

fn n8n(host: &str, path: &[&str]) -> Option<Finding> {
    let ours = host.contains("n8n");
    match path {
        [.., "webhook-test", _] | ["webhook-test", ..] => warning(
            "the URL is a test URL of n8n's: it answers for 120 seconds after a click on Listen, and 404 otherwise",
            "publish the workflow and use its Production URL, which has /webhook/ in the place of /webhook-test/",
        ),
        ["webhook", _, ..] if ours => {
            Some(Finding::ok(Check::UrlSpelling, "the URL looks like a production URL of n8n's"))
        }
        ["workflow", ..] | ["home", "workflows", ..] | ["projects", _, "workflows", ..] if ours => problem(
            "the URL is a page of n8n's, where workflows are made, and no webhook".to_owned(),
            "copy the Production URL that the workflow's Webhook node shows: https://<host>/webhook/<id>".to_owned(),
        ),
        _ => None,
    }
}
