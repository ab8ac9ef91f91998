//! Which addresses a message may be sent to. Whoever may change an app's settings chooses its
//! receivers' addresses, and must not reach through them what only this machine can reach.
//!
//! What always holds: an address that is not public is reached only where the operator's own
//! configuration names its network, and a link-local one never: there the clouds tell machines their
//! credentials (169.254.169.254). What stands inside another address (IPv4 in IPv6) is judged as
//! what it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `10.1.0.0/16`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network; write one like 10.1.0.0/16 or a single address")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| invalid())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.trim().parse().map_err(|_| invalid())?,
            None => longest,
        };
        if prefix > longest { Err(invalid()) } else { Ok(Self { address, prefix }) }
    }
}

impl Network {
    pub fn contains(&self, ip: IpAddr) -> bool {
        let shared = |one: u128, other: u128, bits: u32| {
            let dropped = bits - u32::from(self.prefix);
            one.checked_shr(dropped).unwrap_or(0) == other.checked_shr(dropped).unwrap_or(0)
        };
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                shared(u32::from(own).into(), u32::from(ip).into(), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => shared(own.into(), ip.into(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// How a message would travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Encrypted,
    Plain,
}

/// Whether a message may be sent to this address. Unencrypted it may travel in the operator's own
/// networks alone.
pub fn may_be_reached(ip: IpAddr, way: Way, allowed: &[Network]) -> bool {
    let ip = innermost(ip);
    if never(ip) {
        return false;
    }
    let own = allowed.iter().any(|network| network.contains(ip));
    own || (way == Way::Encrypted && is_public(ip))
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), translated (RFC 6052), 6to4
/// (RFC 3056).
fn innermost(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if high != 0 => inner(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        _other => ip,
    }
}

fn never(ip: IpAddr) -> bool {
    /// Where Amazon's machines find the same service by IPv6.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified() || ip == METADATA
        }
    }
}

/// By IANA's registries of special-purpose addresses.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (b == 18 || b == 19)))
        }
        // what is public lies in 2000::/3, but for documentation, Teredo and benchmarks
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && !(first == 0x3fff && second < 0x1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("93.184.216.34", true)]
    #[case("2606:2800:220:1::1", true)]
    #[case("127.0.0.1", false)]
    #[case("127.8.8.8", false)]
    #[case("10.0.0.1", false)]
    #[case("172.16.0.1", false)]
    #[case("192.168.1.1", false)]
    #[case("100.64.0.1", false)]
    #[case("169.254.169.254", false)]
    #[case("0.0.0.0", false)]
    #[case("224.0.0.1", false)]
    #[case("255.255.255.255", false)]
    #[case("198.18.0.1", false)]
    #[case("::1", false)]
    #[case("::", false)]
    #[case("::ffff:127.0.0.1", false)]
    #[case("::ffff:169.254.169.254", false)]
    #[case("64:ff9b::a9fe:a9fe", false)]
    #[case("64:ff9b::5db8:d822", true)]
    #[case("2002:7f00:1::", false)]
    #[case("fe80::1", false)]
    #[case("fd00:ec2::254", false)]
    #[case("fc00::1", false)]
    #[case("2001:db8::1", false)]
    fn only_what_is_public_is_reached_by_itself(#[case] ip: &str, #[case] reached: bool) {
        let ip = ip.parse().unwrap();
        assert_eq!(may_be_reached(ip, Way::Encrypted, &[]), reached, "{ip}");
        assert!(!may_be_reached(ip, Way::Plain, &[]), "{ip} without TLS");
    }

    #[test]
    fn the_operator_opens_networks_of_their_own() {
        let allowed: Vec<Network> =
            ["10.1.0.0/16", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        for (ip, reached) in [("10.1.2.3", true), ("10.2.0.1", false), ("::1", true)] {
            let ip = ip.parse().unwrap();
            assert_eq!(may_be_reached(ip, Way::Plain, &allowed), reached, "{ip}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "ten", "10.0.0.0/", "::/129", "10.0.0/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_opens_the_way_to_what_tells_machines_their_credentials(last in any::<[u8; 2]>()) {
            let all: Vec<Network> =
                ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().unwrap()).collect();
            let link_local = Ipv4Addr::new(169, 254, last[0], last[1]);
            for ip in [IpAddr::V4(link_local), IpAddr::V6(link_local.to_ipv6_mapped())] {
                prop_assert!(!may_be_reached(ip, Way::Encrypted, &all));
                prop_assert!(!may_be_reached(ip, Way::Plain, &all));
            }
        }
    }
}
