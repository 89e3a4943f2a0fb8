//! The address policy: which addresses the host connects to.
//!
//! A subscription's URL is chosen by its owner, but the host may reach what that owner may not: a cloud's metadata
//! service, a database, the host's own API. So the host connects only to public addresses, unless the operator allows
//! more. The filter applies to the address that is connected to, after resolution and after the plugin has run: a name
//! that points to a private address gains nothing, and one that points to both is reached on the public one. The policy
//! does not rely on the name, nor on two lookups giving the same result.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

/// IPv4 networks that are not public: IANA's special-purpose registry, and multicast.
const V4_REFUSED: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // this network; 0.0.0.0 reaches the host itself
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // shared by a provider's customers (CGNAT)
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local, where clouds serve their metadata
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // relays of 6to4
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, and broadcast
];

/// Global unicast IPv6. Loopback, unique local, link-local, site-local, multicast, discard and the other special-purpose
/// networks are outside it.
const V6_GLOBAL: Ipv6Net = v6(0x2000, 0, 3);

/// IPv6 networks inside [`V6_GLOBAL`] that are not public.
const V6_REFUSED: [Ipv6Net; 3] = [
    v6(0x2001, 0, 23),     // protocol assignments, Teredo among them
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x3fff, 0, 20),     // documentation
];

/// Returns whether the host may connect to `ip`: it is public, or in one of the networks that the operator allows.
///
/// An IPv6 address that embeds an IPv4 address is judged by the latter.
pub fn allowed(ip: IpAddr, allow_networks: &[IpNet]) -> bool {
    if allow_networks.iter().any(|network| network.contains(&ip)) {
        return true;
    }
    match ip {
        IpAddr::V4(ip) => V4_REFUSED.iter().all(|network| !network.contains(&ip)),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(ip) => allowed(IpAddr::V4(ip), allow_networks),
            None => V6_GLOBAL.contains(&ip) && V6_REFUSED.iter().all(|network| !network.contains(&ip)),
        },
    }
}

/// Returns the IPv4 address that an IPv6 address embeds: mapped and compatible (`::ffff:a.b.c.d`, `::a.b.c.d`), NAT64
/// (`64:ff9b::a.b.c.d`) and 6to4 (`2002:aabb:ccdd::`).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match ip.segments() {
        // Unspecified and loopback, not 0.0.0.0 and 0.0.0.1.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// The address policy refuses all addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` resolves only to addresses that `send.allow_networks` does not permit")]
pub(super) struct Refused {
    host: String,
}

/// Checks a URL whose host is an IP address, in any notation: the resolver never sees those.
pub(super) fn check_literal(url: &Url, allow_networks: &[IpNet]) -> Result<(), Refused> {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if allowed(ip, allow_networks) { Ok(()) } else { Err(Refused { host: ip.to_string() }) }
}

/// The system's resolver, filtered to the addresses that the policy allows.
pub(super) struct Resolver(pub(super) Arc<[IpNet]>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_networks = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.filter(|address| allowed(address.ip(), &allow_networks)).collect();
            if addresses.is_empty() {
                return Err(Refused { host: name.as_str().to_owned() }.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
