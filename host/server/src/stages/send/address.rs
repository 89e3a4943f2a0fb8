//! The address policy: which addresses the host connects to.
//!
//! A subscription's URL is chosen by its owner, but the host may reach what that owner may not: a cloud's metadata
//! service, a database, the host's own API. So the host connects only to public addresses, unless the operator allows
//! more. The filter applies to the address that is connected to, after resolution and after the plugin has run: a name
//! that points to a private address gains nothing, and one that points to both is reached on the public one. The policy
//! does not rely on the name, nor on two lookups giving the same result.
//!
//! The machine's own addresses are refused too, public ones included: what listens there may be open to this machine
//! alone. The kernel is asked each time, so an address that the machine gets later counts at once. The public address
//! of a machine behind a NAT is not its own; an operator lists that in `send.deny_networks`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use super::fault;
use crate::config::SendConfig;

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

/// IPv4 networks that are not public: IANA's special-purpose registry, multicast, and what a cloud serves its own
/// machines at a public address.
const V4_REFUSED: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),        // this network; 0.0.0.0 reaches the host itself
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // shared by a provider's customers (CGNAT)
    v4(127, 0, 0, 0, 8),      // loopback
    v4(169, 254, 0, 0, 16),   // link-local, where clouds serve their metadata
    v4(168, 63, 129, 16, 32), // Azure's host services: its agent's configuration, DNS
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // relays of 6to4
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, and broadcast
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

/// Which addresses and ports the host connects to.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    /// Networks that are permitted although they are not public.
    pub allow_networks: Vec<IpNet>,
    /// Networks that are refused although they are public or allowed.
    pub deny_networks: Vec<IpNet>,
    /// Ports that are refused.
    pub deny_ports: Vec<u16>,
}

impl AddressPolicy {
    /// The policy of this configuration.
    pub fn of(config: &SendConfig) -> Self {
        Self {
            allow_networks: config.allow_networks.clone(),
            deny_networks: config.deny_networks.clone(),
            deny_ports: config.deny_ports.clone(),
        }
    }

    /// Returns whether the host may connect to `ip`: it is public and not the machine's own, or in one of the networks
    /// that the operator allows, and in none that the operator denies.
    ///
    /// An IPv6 address that embeds an IPv4 address is judged by the latter.
    ///
    /// # Errors
    /// If the machine cannot be asked whether the address is its own, since it has no descriptor left.
    pub fn allows(&self, ip: IpAddr) -> io::Result<bool> {
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&ip));
        if within(&self.deny_networks) {
            return Ok(false);
        }
        if let IpAddr::V6(v6) = ip
            && let Some(v4) = embedded_v4(v6)
        {
            let denied = self.deny_networks.iter().any(|network| network.contains(&IpAddr::V4(v4)));
            return if within(&self.allow_networks) { Ok(!denied) } else { self.allows(v4.into()) };
        }
        Ok(within(&self.allow_networks) || (is_public(ip) && !is_own(ip)?))
    }

    /// Checks a URL's port, and its host if that is an IP address, in any notation: the resolver never sees those.
    pub(super) fn check(&self, url: &Url) -> io::Result<Result<(), AddressRefused>> {
        if let Some(port) = url.port_or_known_default().filter(|port| self.deny_ports.contains(port)) {
            return Ok(Err(AddressRefused::Port(port)));
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain(_)) | None => return Ok(Ok(())),
        };
        Ok(if self.allows(ip)? { Ok(()) } else { Err(AddressRefused::Host(ip.to_string())) })
    }
}

/// Returns whether everybody may reach the address.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => V4_REFUSED.iter().all(|network| !network.contains(&ip)),
        IpAddr::V6(ip) => V6_GLOBAL.contains(&ip) && V6_REFUSED.iter().all(|network| !network.contains(&ip)),
    }
}

/// Returns whether the address is the machine's own: a socket can be bound to it. Where the system lets sockets bind to
/// any address, the route says it: a connection to an own address comes from that address.
fn is_own(ip: IpAddr) -> io::Result<bool> {
    /// For documentation, so no machine's.
    const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    let socket = match UdpSocket::bind((ip, 0)) {
        Ok(socket) => socket,
        Err(error) if error.kind() != ErrorKind::AddrNotAvailable && fault::is_ours(&error) => return Err(error),
        Err(_) => return Ok(false),
    };
    drop(socket);
    if UdpSocket::bind((NOBODYS, 0)).is_err() {
        return Ok(true);
    }
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    Ok(socket.connect((ip, 9)).is_ok() && socket.local_addr()?.ip() == ip)
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

/// The address policy refuses all addresses of a host, or the port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressRefused {
    #[error("`{0}` resolves only to addresses that `send.allow_networks` does not permit")]
    Host(String),
    #[error("port {0} is refused by `send.deny_ports`")]
    Port(u16),
}
