//! Which URLs may be called, by profile and `EGRESS_ALLOW`. No socket is opened here.

use super::support::config;
use crate::egress::guard::Guard;
use crate::egress::{FetchError, Profile};

/// Literals that reach something that is not the public internet, and the word for it.
const NOT_PUBLIC: &[(&str, &str)] = &[
    // Each spelling that a URL parser turns into 127.0.0.1.
    ("127.0.0.1", "loopback"),
    ("127.1", "loopback"),
    ("127.0.1", "loopback"),
    ("2130706433", "loopback"),
    ("0x7f000001", "loopback"),
    ("0x7f.1", "loopback"),
    ("017700000001", "loopback"),
    ("0177.0.0.01", "loopback"),
    ("127.0.0.1.", "loopback"),
    ("%31%32%37.0.0.1", "loopback"),
    ("１２７.０.０.１", "loopback"),
    ("127。0。0。1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("[::1]", "loopback"),
    ("[0:0:0:0:0:0:0:1]", "loopback"),
    // IPv4, block by block, with the edges that are easy to get wrong.
    ("0", "this network"),
    ("0.0.0.0", "this network"),
    ("0.255.255.255", "this network"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("0xa.1", "private"),
    ("100.64.0.1", "CGNAT"),
    ("100.127.255.255", "CGNAT"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("169.254.169.254", "link-local"),
    ("169.254.0.1", "link-local"),
    ("0xa9fea9fe", "link-local"),
    ("2852039166", "link-local"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.1", "protocol assignments"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.1.1", "private"),
    ("3232235777", "private"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.7", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    // IPv6, and IPv4 inside of it.
    ("[::]", "unspecified"),
    ("[::127.0.0.1]", "IPv4-compatible"),
    ("[::ffff:127.0.0.1]", "IPv4-mapped"),
    ("[::ffff:7f00:1]", "IPv4-mapped"),
    ("[::ffff:8.8.8.8]", "IPv4-mapped"),
    ("[::ffff:0:10.0.0.1]", "IPv4-translated"),
    ("[64:ff9b::10.0.0.1]", "NAT64"),
    ("[64:ff9b::808:808]", "NAT64"),
    ("[64:ff9b:1::1]", "NAT64"),
    ("[64:ff9b:1:ffff::a00:1]", "NAT64"),
    ("[100::1]", "discarded"),
    ("[100:0:0:1::1]", "a dummy"),
    ("[2001::1]", "Teredo"),
    ("[2001:2::1]", "benchmarking"),
    ("[2001:10::1]", "protocol assignments"),
    ("[2001:1ff::1]", "protocol assignments"),
    ("[2001:db8::1]", "documentation"),
    ("[2002:a00:1::1]", "6to4"),
    ("[2002:808:808::1]", "6to4"),
    ("[3fff:fff::1]", "documentation"),
    ("[5f00::1]", "segment routing"),
    ("[fc00::1]", "unique local"),
    ("[fdff:ffff::1]", "unique local"),
    ("[fd00:ec2::254]", "metadata"),
    ("[fd20:ce::254]", "metadata"),
    ("[fe80::1]", "link-local"),
    ("[febf::1]", "link-local"),
    ("[fec0::1]", "site-local"),
    ("[ff02::1]", "multicast"),
    ("[4000::1]", "unassigned"),
    ("[1fff::1]", "unassigned"),
    ("[e000::1]", "unassigned"),
];

/// Neighbours of the blocks above.
const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "0x08080808",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "[2001:200::1]",
    "[2001:4860:4860::8888]",
    "[2003::1]",
    "[2606:4700::1111]",
    "[3ffe::1]",
    "example.com",
    "localhost",
    "metadata.google.internal",
];

fn judge(profile: Profile, allow: &str, url: &str) -> Result<String, String> {
    let guard = Guard::new(profile, &config(&[("EGRESS_ALLOW", allow)]).egress_allow);
    match guard.target(url) {
        Ok(target) => Ok(target.uri.to_string()),
        Err(FetchError::Forbidden { why, .. }) => Err(why),
        Err(other) => panic!("{url}: {other}"),
    }
}

fn is_open(allow: &str, url: &str) -> bool {
    judge(Profile::Catalog, allow, url).is_ok()
}

#[test]
fn refuses_every_spelling_of_an_address_that_is_not_public() {
    for (host, class) in NOT_PUBLIC {
        let url = format!("https://{host}/path");
        let why = judge(Profile::Catalog, "", &url).unwrap_err();
        assert!(why.contains(class), "{host}: {why}");
        assert!(why.contains("EGRESS_ALLOW opens it"), "{host}: {why}");
        let why = judge(Profile::Untrusted, "", &url).unwrap_err();
        assert!(why.contains(class), "{host}: {why}");
        assert!(!why.contains("EGRESS_ALLOW"), "{host}: {why}");
    }
}

#[test]
fn lets_the_public_internet_through() {
    for host in PUBLIC {
        for profile in [Profile::Catalog, Profile::Untrusted] {
            let url = format!("https://{host}/path");
            assert!(judge(profile, "", &url).is_ok(), "{profile:?} {host}");
        }
    }
}

#[test]
fn calls_https_and_nothing_else() {
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "ws://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,hello",
        "unix:/run/socket",
        "https:///",
        "https://",
        "/path",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://:word@example.com/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://[::1/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
    ] {
        for profile in [Profile::Catalog, Profile::Untrusted] {
            assert!(judge(profile, "", url).is_err(), "{profile:?} {url}");
        }
    }
}

#[test]
fn sends_the_spelling_that_was_checked() {
    for (written, sent) in [
        ("https://0x08080808/a", "https://8.8.8.8/a"),
        ("https://EXAMPLE.com:443/a", "https://example.com/a"),
        ("https://example.com:8443", "https://example.com:8443/"),
        (
            "https://example.com\\@10.0.0.1/",
            "https://example.com/@10.0.0.1/",
        ),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://example.com/a/../b#part", "https://example.com/b"),
    ] {
        assert_eq!(judge(Profile::Catalog, "", written), Ok(sent.to_owned()));
    }
}

/// `EGRESS_ALLOW`, URL, open to the catalog?
const OPENED: &[(&str, &str, bool)] = &[
    ("10.0.0.0/8", "https://10.1.2.3:8443/", true),
    ("10.0.0.0/8", "https://0xa.1/", true),
    ("10.0.0.0/8", "http://10.1.2.3/", false),
    ("10.0.0.0/8", "https://11.0.0.1/", true),
    ("10.0.0.0/8", "https://192.168.0.1/", false),
    ("10.0.0.0/8", "https://[::ffff:10.0.0.1]/", false),
    ("::ffff:0:0/96", "https://[::ffff:10.0.0.1]/", true),
    ("fd00::/8", "https://[fd12::1]/", true),
    ("127.0.0.1:8443", "https://127.0.0.1:8443/", true),
    ("127.0.0.1:8443", "https://127.1:8443/", true),
    ("0x7f.1:8443", "https://127.0.0.1:8443/", true),
    ("127.0.0.1:8443", "https://127.0.0.1/", false),
    ("127.0.0.1:8443", "https://127.0.0.2:8443/", false),
    ("127.0.0.1:8443", "http://127.0.0.1:8443/", false),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", true),
    ("http://127.0.0.1:8080", "https://127.0.0.1:8080/", true),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8081/", false),
    ("http://127.0.0.1:80", "http://127.0.0.1/", true),
    ("http://[::1]:8080", "http://[0:0::1]:8080/", true),
    ("http://example.com:80", "http://EXAMPLE.com/", true),
    ("http://example.com:80", "http://www.example.com/", false),
    ("mcp.internal:8443,10.0.0.0/8", "https://10.0.0.1/", true),
    // Link-local addresses and metadata services open only to who names exactly them.
    ("0.0.0.0/0", "https://10.0.0.1/", true),
    ("0.0.0.0/0", "https://169.254.169.254/", false),
    ("169.0.0.0/8", "https://169.254.169.254/", false),
    ("169.254.0.0/16", "https://169.254.169.254/", true),
    ("169.254.169.254/32", "https://169.254.169.254/", true),
    ("169.254.169.254/32", "https://169.254.169.253/", false),
    ("169.254.169.254:443", "https://169.254.169.254/", true),
    ("100.64.0.0/10", "https://100.64.0.1/", true),
    ("100.64.0.0/10", "https://100.100.100.200/", false),
    ("::/0", "https://[fd00:ec2::254]/", false),
    ("fd00::/8", "https://[fd00:ec2::254]/", false),
    ("fd00:ec2::254/128", "https://[fd00:ec2::254]/", true),
    ("[fd00:ec2::254]:443", "https://[fd00:ec2::254]/", true),
    ("::/0", "https://[fe80::1]/", false),
    ("fe80::/10", "https://[fe80::1]/", true),
    ("::/0", "https://[::ffff:169.254.169.254]/", false),
    ("::ffff:0:0/96", "https://[::ffff:169.254.169.254]/", false),
    (
        "169.254.169.254/32",
        "https://[::ffff:169.254.169.254]/",
        false,
    ),
    ("64:ff9b::/96", "https://[64:ff9b::8.8.8.8]/", true),
    ("64:ff9b::/96", "https://[64:ff9b::a9fe:a9fe]/", false),
    ("64:ff9b:1::/48", "https://[64:ff9b:1::a9fe:a9fe]/", false),
    ("2002::/16", "https://[2002:a9fe:a9fe::1]/", false),
    (
        "2001::/32",
        "https://[2001:0:808:808:0:0:5601:5601]/",
        false,
    ),
    ("::/96", "https://[::169.254.169.254]/", false),
];

#[test]
fn opens_to_the_catalog_what_is_listed_and_no_more() {
    for (allow, url, open) in OPENED {
        assert_eq!(is_open(allow, url), *open, "EGRESS_ALLOW={allow} {url}");
    }
}

#[test]
fn opens_nothing_to_a_stranger() {
    for (allow, url, _) in OPENED {
        let public = url.contains("//11.");
        let open = judge(Profile::Untrusted, allow, url).is_ok();
        assert_eq!(open, public, "EGRESS_ALLOW={allow} {url}");
    }
}

#[test]
fn a_listed_name_opens_what_it_resolves_to_but_not_the_metadata_service() {
    let allow = config(&[("EGRESS_ALLOW", "mcp.internal:8443,http://localhost:80")]).egress_allow;
    let guard = Guard::new(Profile::Catalog, &allow);
    for (host, port, address, open) in [
        ("mcp.internal", 8443, "10.0.0.1", true),
        ("mcp.internal", 8443, "::1", true),
        ("mcp.internal", 8443, "fd12::1", true),
        ("mcp.internal", 443, "10.0.0.1", false),
        ("other.internal", 8443, "10.0.0.1", false),
        ("localhost", 80, "127.0.0.1", true),
        ("sub.localhost", 80, "127.0.0.1", false),
        ("mcp.internal", 8443, "169.254.169.254", false),
        ("mcp.internal", 8443, "fe80::1", false),
        ("mcp.internal", 8443, "fd00:ec2::254", false),
        ("mcp.internal", 8443, "::ffff:169.254.169.254", false),
        ("anybody.example", 443, "8.8.8.8", true),
    ] {
        let address = address.parse().unwrap();
        let judged = guard.check_address(host, port, address);
        assert_eq!(judged.is_ok(), open, "{host}:{port} at {address}");
    }
}

#[test]
fn refuses_entries_that_would_match_nothing() {
    for entry in [
        "*.example.com:443",
        "example.com",
        "example.com:0",
        "example.com:http",
        "https://example.com:443",
        "http://example.com",
        ":443",
        "exa mple:443",
        "10.0.0.0/33",
        "::1:8080",
    ] {
        assert!(entry.parse::<crate::egress::Allowed>().is_err(), "{entry}");
    }
}
