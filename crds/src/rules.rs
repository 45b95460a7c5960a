//! Rules that several fields share: each with a message that names the field and what belongs into it, for
//! the API server's own words for a pattern are the pattern. The pattern stays beside the rule, for clients that
//! check before they send.

use kube::core::cel::{Message, Rule};
use serde_json::json;

use crate::layout::env;

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
/// An image that an engine may ask for: a reference by the grammar of
/// <https://github.com/distribution/reference/blob/main/reference.go>, with the one digest that is in use.
pub const IMAGE_REFERENCE: &str = r"^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(@sha256:[a-f0-9]{64})?$";
/// An image, or what the references of several begin with.
pub const ALLOWED_IMAGE: &str = r"^[A-Za-z0-9][^\s@]*(@|@sha256:[a-f0-9]{64})?$";
/// The name of a variable.
pub const VARIABLE: &str = r"^[A-Za-z_][A-Za-z0-9_]*$";
/// The key of a label or a taint.
pub const LABEL_KEY: &str =
    r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
/// The value of a label or a taint.
pub const LABEL_VALUE: &str = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
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

/// The field is the name of an object of this kind
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>).
pub fn name_of(field: &str, kind: &str) -> Rule {
    matches(SUBDOMAIN, &name_form(field, kind))
}

/// Every entry is the name of an object of this kind.
pub fn names_of(field: &str, kind: &str) -> Rule {
    all_match(SUBDOMAIN, &name_form(field, kind))
}

fn name_form(field: &str, kind: &str) -> String {
    format!(
        "{field}: the name of a {kind} has lowercase letters, digits, '-' and '.', and starts and ends with a letter or digit"
    )
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

/// The field is an amount of CPU.
pub fn cpu() -> Rule {
    let form = "cpu: a whole number of CPUs or of thousandths, above 0, such as 1 or 250m";
    matches(CPU, form)
}

/// The field is an amount of memory.
pub fn memory() -> Rule {
    let form =
        "memory: a whole number above 0 and a unit, one of Ki, Mi, Gi, k, M or G, such as 64Mi";
    matches(MEMORY, form)
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

/// The field is a length of time of at most a week.
pub fn at_most_a_week(field: &str) -> Rule {
    let rule = format!("!self.matches(r'{DURATION}') || duration(self) <= duration('168h')");
    Rule::new(rule).message(format!("{field}: at most 168h").as_str())
}

/// The request of `resource` is not above its limit: the API server would refuse every pod.
pub fn not_above(resource: &str) -> Rule {
    request_rule(resource, at_most)
}

/// The same of amounts that may be left out.
pub fn not_above_where_given(resource: &str) -> Rule {
    request_rule(resource, |request, limit| {
        format!(
            "!has({request}) || !has({limit}) || {}",
            at_most(request, limit)
        )
    })
}

fn request_rule(resource: &str, rule: impl Fn(&str, &str) -> String) -> Rule {
    let (request, limit) = (
        format!("self.requests.{resource}"),
        format!("self.limits.{resource}"),
    );
    let message = format!("requests.{resource} must not be above limits.{resource}");
    Rule::new(rule(&request, &limit)).message(message.as_str())
}

/// What a class gives is not above what it allows.
pub fn not_above_the_maximum(resource: &str) -> Rule {
    let (limit, most) = (
        format!("self.resources.limits.{resource}"),
        format!("self.maxResources.{resource}"),
    );
    let rule = format!("!has(self.maxResources) || {}", at_most(&limit, &most));
    let message = format!("maxResources.{resource} must not be below resources.limits.{resource}");
    Rule::new(rule).message(message.as_str())
}

/// True as well where one of the two is no quantity, which another rule says.
fn at_most(amount: &str, most: &str) -> String {
    format!(
        "!isQuantity({amount}) || !isQuantity({most}) || quantity({amount}).compareTo(quantity({most})) <= 0"
    )
}

const ENGINES_OWN: &str = "the engine itself reads it, and no user sets it: leave it out";

/// The field names no variable that the engine itself reads.
pub fn no_variable_of_the_engine() -> Rule {
    let message = format!("'env: no variable ' + self + ' here; {ENGINES_OWN}'");
    Rule::new(format!("!(self in {})", variables())).message(Message::Expression(message))
}

/// No entry names a variable that the engine itself reads.
pub fn no_variables_of_the_engine() -> Rule {
    let rule = format!("self.all(name, !(name in {}))", variables());
    let message = "allowedEnv: no variable that the engine itself reads, such as PUBLIC_URL: no user sets those";
    Rule::new(rule).message(message)
}

/// Nothing that begins like this field is a variable that the engine itself reads.
pub fn leads_to_no_variable_of_the_engine() -> Rule {
    let rule = format!("!{}.exists(name, name.startsWith(self))", variables());
    let message = "'envFrom: no prefix ' + self + ' here, for variables that the engine itself reads begin so, and no user sets those: choose another one, such as EXTRA_'";
    Rule::new(rule).message(Message::Expression(message.to_owned()))
}

/// As a list of the rules' language.
fn variables() -> String {
    let names: Vec<_> = env::ALL.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
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
