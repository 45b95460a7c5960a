//! Rules that several fields share: each with a message that names the field and what belongs into it, for
//! the API server's own words for a pattern are the pattern. The pattern stays beside the rule, for clients that
//! check before they send.

use kube::core::cel::Rule;
use serde_json::json;

/// A label of a DNS name (RFC 1123).
pub const LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS name in lower case (RFC 1123).
pub const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
/// Size of a volume.
pub const SIZE: &str = r"^[1-9][0-9]{0,8}(Mi|Gi|Ti|M|G|T)$";
/// An amount of CPU.
pub const CPU: &str = r"^[1-9][0-9]{0,5}m?$";
/// An amount of memory.
pub const MEMORY: &str = r"^[1-9][0-9]{0,8}(Ki|Mi|Gi|k|M|G)$";
/// A length of time.
pub const DURATION: &str = r"^(0s|[1-9][0-9]{0,5}(s|m|h))$";
/// The id of a rotation, as the engine reads it.
pub const ROTATION_ID: &str = r"^[A-Za-z0-9._-]+$";
/// The id of a key.
pub const KID: &str = r"^[0-9a-f]{16}$";
/// A row of the brain.
pub const ROW: &str = r"^[a-z][a-z0-9_]*/[^\s,/]+$";
/// A reference to an image.
pub const IMAGE: &str = r"^[^\s@]+(@sha256:[a-f0-9]{64})?$";
/// Name or namespace stands alone in a part of a template: see [`crate::address::tells_engines_apart`].
pub const STANDS_ALONE: &str =
    r"(^|[./_])([^./_{}]*(\{name\}[^./_{}]*)+|[^./_{}]*(\{namespace\}[^./_{}]*)+)([./_]|$)";
/// A template of an address.
pub const PUBLIC_URL: &str = r"^https://[^\s/?#@]+(/[^\s?#]*)?$";

/// The address of a server of ours, as the engine reads it: TLS, or this machine.
pub const REDIRECT_URL: &str =
    r"^(https://[^\s/?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/[^\s?#]*)?$";

/// The field matches `pattern`, or the user reads `message`.
pub fn matches(pattern: &str, message: &str) -> Rule {
    Rule::new(format!("self.matches(r'{pattern}')")).message(message)
}

/// Every entry matches `pattern`, or the user reads `message`.
pub fn all_match(pattern: &str, message: &str) -> Rule {
    Rule::new(format!("self.all(entry, entry.matches(r'{pattern}'))")).message(message)
}

/// The field is the name of a host or an address.
pub fn host(field: &str) -> Rule {
    let form = "a name such as mcp.tools.svc.cluster.local, or an address, without scheme, port or brackets";
    Rule::new(format!("isIP(self) || self.matches(r'{SUBDOMAIN}')"))
        .message(format!("{field}: {form}").as_str())
}

/// The field is a label of a DNS name.
pub fn label(field: &str) -> Rule {
    let form = "has lowercase letters, digits and '-', and starts and ends with a letter or digit";
    matches(LABEL, &format!("{field} {form}"))
}

/// The field is the size of a volume.
pub fn size(field: &str) -> Rule {
    let form = "a whole number above 0 and a unit, one of Mi, Gi, Ti, M, G or T, such as 1Gi";
    matches(SIZE, &format!("{field}: {form}"))
}

/// The field is a length of time.
pub fn duration(field: &str) -> Rule {
    let form = "a whole number and a unit, one of s, m or h, such as 168h";
    matches(DURATION, &format!("{field}: {form}"))
}

/// The field is a length of time of at least an hour: a rotation takes seconds, and an engine that does nothing else
/// serves nobody.
pub fn at_least_an_hour(field: &str) -> Rule {
    let rule = format!("!self.matches(r'{DURATION}') || duration(self) >= duration('1h')");
    Rule::new(rule).message(format!("{field}: at least 1h").as_str())
}

/// The request of `resource` is not above its limit: the API server would refuse every pod.
pub fn not_above(resource: &str) -> Rule {
    let (request, limit) = (
        format!("self.requests.{resource}"),
        format!("self.limits.{resource}"),
    );
    let rule = format!(
        "!isQuantity({request}) || !isQuantity({limit}) || quantity({request}).compareTo(quantity({limit})) <= 0"
    );
    Rule::new(rule)
        .message(format!("requests.{resource} must not be above limits.{resource}").as_str())
}

const CIDR_FORM: &str = "a range of addresses as network/bits with no bit set behind the network, such as 192.0.2.0/24 or 2001:db8::/32";

/// The field is a range of addresses, in the one form in which it can be compared.
pub fn cidr(field: &str) -> Rule {
    Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()")
        .message(format!("{field}: {CIDR_FORM}").as_str())
}

/// Every entry is a range of addresses.
pub fn cidrs(field: &str) -> Rule {
    Rule::new("self.all(range, isCIDR(range) && cidr(range) == cidr(range).masked())")
        .message(format!("{field}: each entry is {CIDR_FORM}").as_str())
}

/// The schema of a label's value
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>): with another
/// one the API server would refuse every NetworkPolicy of the class. A schema and no rule: the keys of a map have no
/// bound, so that the estimate of a rule's cost has none either.
pub fn label_value() -> serde_json::Value {
    json!({ "type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$" })
}
