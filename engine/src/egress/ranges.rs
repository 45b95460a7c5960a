//! Addresses that are not the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A block of addresses that no stranger may send the engine to.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) net: IpNet,
    /// What the block is for, in words that follow "is".
    pub(super) class: &'static str,
    /// Where that is written.
    pub(super) source: &'static str,
}

/// The block that makes an address not public, if there is one.
pub(super) fn special(address: IpAddr) -> Option<&'static Range> {
    let of = |table: &'static [Range]| table.iter().find(|range| range.net.contains(&address));
    of(&METADATA)
        .or_else(|| of(&SPECIAL))
        .or_else(|| match address {
            IpAddr::V6(v6) if !GLOBAL_UNICAST.contains(&v6) => Some(&UNASSIGNED),
            _ => None,
        })
}

/// Does a packet for this address reach a link-local address or a metadata service, also by way of a translator?
pub(super) fn metadata(address: IpAddr) -> Option<&'static Range> {
    let carried = carried_v4(address).map(IpAddr::V4);
    METADATA.iter().find(|range| {
        range.net.contains(&address) || carried.is_some_and(|inner| range.net.contains(&inner))
    })
}

/// The IPv4 address that an IPv6 address carries.
fn carried_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(joined(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => Some(joined(!high, !low)),
        _ => None,
    }
}

#[rustfmt::skip] // a table: one row a line
static METADATA: [Range; 9] = [
    v4([169, 254, 0, 0], 16, "link-local", "RFC 3927"),
    v4([100, 100, 100, 200], 32, "a cloud's metadata service", "Alibaba Cloud, ECS metadata"),
    v4([168, 63, 129, 16], 32, "a cloud's metadata service", "Azure, wire server"),
    v4([192, 0, 0, 192], 32, "a cloud's metadata service", "Oracle Cloud, classic metadata"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local", "RFC 4291"),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128, "a cloud's metadata service", "AWS, EKS pod identity"),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, "a cloud's metadata service", "AWS, instance metadata"),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, "a cloud's metadata service", "Google Cloud, metadata server"),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128, "a cloud's metadata service", "Scaleway, instance metadata"),
];

/// The special-purpose registries of IANA, as far as they are not globally reachable, and what can carry an IPv4
/// address inside. The first row that fits names the class.
#[rustfmt::skip] // a table: one row a line
static SPECIAL: [Range; 34] = [
    v4([0, 0, 0, 0], 8, "this network", "RFC 791"),
    v4([10, 0, 0, 0], 8, "private", "RFC 1918"),
    v4([100, 64, 0, 0], 10, "shared (CGNAT)", "RFC 6598"),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122"),
    v4([172, 16, 0, 0], 12, "private", "RFC 1918"),
    v4([192, 0, 0, 0], 24, "for protocol assignments", "RFC 6890"),
    v4([192, 0, 2, 0], 24, "for documentation", "RFC 5737"),
    v4([192, 88, 99, 0], 24, "a 6to4 relay", "RFC 7526"),
    v4([192, 168, 0, 0], 16, "private", "RFC 1918"),
    v4([198, 18, 0, 0], 15, "for benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, "for documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, "for documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, "broadcast", "RFC 919"),
    v4([240, 0, 0, 0], 4, "reserved", "RFC 1112"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible", "RFC 4291, 2.5.5.1"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped", "RFC 4291, 2.5.5.2"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated", "RFC 2765"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64", "RFC 6052"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "NAT64", "RFC 8215"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded", "RFC 6666"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "a dummy", "RFC 9780"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo", "RFC 4380"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "for benchmarking", "RFC 5180"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "for protocol assignments", "RFC 2928"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "for documentation", "RFC 3849"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4", "RFC 3056"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "for documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "for segment routing", "RFC 9602"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local", "RFC 4193"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local", "RFC 3879"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast", "RFC 4291"),
];

/// All that is public lies in 2000::/3; the rest has not been handed out.
static UNASSIGNED: Range = v6([0, 0, 0, 0, 0, 0, 0, 0], 0, "unassigned", "RFC 4291, 2.4");
const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

const fn v4(octets: [u8; 4], length: u8, class: &'static str, source: &'static str) -> Range {
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), length));
    Range { net, class, source }
}

const fn v6(groups: [u16; 8], length: u8, class: &'static str, source: &'static str) -> Range {
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_segments(groups), length));
    Range { net, class, source }
}
