//! Which addresses may be sent to.

use hookmill_server::stages::send::address::AddressPolicy;
use ipnet::IpNet;

use crate::support::left_out;

fn is_allowed(ip: &str) -> bool {
    AddressPolicy::default().allows(ip.parse().unwrap()).unwrap()
}

fn networks(text: &str) -> Vec<IpNet> {
    text.split_whitespace().map(|network| network.parse().unwrap()).collect()
}

#[test]
fn public_addresses_are_allowed() {
    for ip in ["1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255"] {
        assert!(is_allowed(ip), "{ip}");
    }
    for ip in ["2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888"] {
        assert!(is_allowed(ip), "{ip}");
    }
}

#[test]
fn what_is_not_public_is_refused() {
    let v4 = "0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1 \
              172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 \
              203.0.113.1 168.63.129.16 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255";
    let v6 = ":: ::1 100::1 100:0:0:1::1 64:ff9b:1::1 fc00::1 fdff::1 fe80::1 fec0::1 ff02::1 2001::1 2001:1ff::1 \
              2001:db8::1 3fff::1 3fff:fff::1 5f00::1 4000::1 1::1";
    for ip in v4.split_whitespace().chain(v6.split_whitespace()) {
        assert!(!is_allowed(ip), "{ip}");
    }
}

#[test]
fn a_wrapped_ipv4_address_is_judged_as_what_it_is() {
    for wrap in ["::ffff:", "::", "64:ff9b::"] {
        assert!(!is_allowed(&format!("{wrap}127.0.0.1")), "{wrap}");
        assert!(!is_allowed(&format!("{wrap}169.254.169.254")), "{wrap}");
        assert!(is_allowed(&format!("{wrap}1.1.1.1")), "{wrap}");
    }
    assert!(!is_allowed("2002:7f00:1::"));
    assert!(!is_allowed("2002:a9fe:a9fe::1"));
    assert!(is_allowed("2002:101:101::1"));
}

#[test]
fn the_operator_may_allow_networks() {
    let policy = AddressPolicy { allow_networks: networks("10.0.0.0/8 fd00::/8"), ..AddressPolicy::default() };
    for ip in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "1.1.1.1"] {
        assert!(policy.allows(ip.parse().unwrap()).unwrap(), "{ip}");
    }
    for ip in ["127.0.0.1", "192.168.0.1", "fc00::1"] {
        assert!(!policy.allows(ip.parse().unwrap()).unwrap(), "{ip}");
    }
}

#[test]
fn what_the_operator_denies_is_refused_although_it_is_public_or_allowed() {
    let policy = AddressPolicy {
        allow_networks: networks("10.0.0.0/8"),
        deny_networks: networks("10.9.0.0/16 1.1.1.0/24 2606:4700::/32"),
        ..AddressPolicy::default()
    };
    for ip in ["10.8.0.1", "1.1.2.1", "2a00:1450::1"] {
        assert!(policy.allows(ip.parse().unwrap()).unwrap(), "{ip}");
    }
    for ip in ["10.9.0.1", "::ffff:10.9.0.1", "1.1.1.1", "64:ff9b::1.1.1.1", "2606:4700::1"] {
        assert!(!policy.allows(ip.parse().unwrap()).unwrap(), "{ip}");
    }
}

/// Runs itself in a network of its own, in which this machine has public addresses.
#[test]
#[cfg(target_os = "linux")]
fn the_machines_own_addresses_are_refused_although_they_are_public() {
    const WITHIN: &str = "HOOKMILL_WITHIN_ITS_OWN_NETWORK";
    const NAME: &str = "stages::address::the_machines_own_addresses_are_refused_although_they_are_public";
    if std::env::var_os(WITHIN).is_some() {
        for ip in ["8.8.8.8", "8.8.8.9", "::ffff:8.8.8.8"] {
            assert!(!is_allowed(ip), "{ip}");
            let policy = AddressPolicy { allow_networks: networks("8.8.8.0/24"), ..AddressPolicy::default() };
            assert!(policy.allows("8.8.8.8".parse().unwrap()).unwrap());
        }
        assert!(is_allowed("8.8.4.4"));
        return;
    }
    let script = "ip link set lo up && ip address add 8.8.8.8/24 dev lo && ip address add 8.8.8.9/24 dev lo && echo made && \
                  exec \"$0\" --exact \"$1\"";
    let run = std::process::Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(NAME)
        .env(WITHIN, "1")
        .output();
    match run {
        Ok(run) if run.stdout.starts_with(b"made") => {
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(
                run.status.success() && said.contains("1 passed"),
                "{said}{}",
                String::from_utf8_lossy(&run.stderr)
            );
        }
        _ => {
            left_out(NAME, "unshare and ip, and the right to a network of its own,", "apt install iproute2 util-linux");
        }
    }
}
