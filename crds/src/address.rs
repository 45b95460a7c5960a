//! Templates of engines' addresses: which of them give every engine an address of its own.

/// Stands for the engine's name.
pub const NAME: &str = "{name}";
/// Stands for its namespace.
pub const NAMESPACE: &str = "{namespace}";

/// Do no two engines share an address? Names and namespaces hold letters, digits and `-`, so what they are can be read back from
/// an address if one of the two stands alone in a part between `.`, `/` and `_`. In `{name}-{namespace}` neither does: `a-b` in
/// `c` and `a` in `b-c` both get `a-b-c`.
pub fn tells_engines_apart(template: &str) -> bool {
    let complete = template.contains(NAME) && template.contains(NAMESPACE);
    let stands_alone = |part: &str| part.contains(NAME) != part.contains(NAMESPACE);
    complete && template.split(['.', '/', '_']).any(stands_alone)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every template of up to five of these pieces, judged and then tried with names that are made to be mistaken.
    #[test]
    fn a_template_that_is_taken_gives_no_address_twice() {
        let pieces = [NAME, NAMESPACE, "-", ".", "/", "_", "x"];
        let mut templates = vec![String::new()];
        let mut taken = 0;
        for _ in 0..5 {
            let longer = |template: &String| pieces.map(|piece| format!("{template}{piece}"));
            templates = templates.iter().flat_map(longer).collect();
            taken += templates
                .iter()
                .filter(|template| tells_engines_apart(template))
                .inspect(|template| assert_eq!(shared(template), None, "{template}"))
                .count();
        }
        assert!(taken > 1000, "{taken}");
        for template in [
            "{name}-{namespace}",
            "{name}{namespace}",
            "{name}-{namespace}.{name}-{namespace}",
        ] {
            assert!(shared(template).is_some(), "{template}");
            assert!(!tells_engines_apart(template), "{template}");
        }
    }

    /// Two engines that the template gives one address.
    fn shared(template: &str) -> Option<[(&'static str, &'static str); 2]> {
        let names = [
            "a", "b", "x", "a-b", "b-c", "c", "ax", "xa", "a-x", "x-a", "a-b-c",
        ];
        let mut seen = BTreeMap::new();
        for name in names {
            for namespace in names {
                let address = template.replace(NAME, name).replace(NAMESPACE, namespace);
                if let Some(other) = seen.insert(address, (name, namespace)) {
                    return Some([other, (name, namespace)]);
                }
            }
        }
        None
    }

    #[cfg(feature = "kinds")]
    #[test]
    fn the_rule_of_the_kind_says_the_same() {
        let rule = regex::Regex::new(crate::rules::STANDS_ALONE).unwrap();
        let pieces = [NAME, NAMESPACE, "-", ".", "/", "_", "x"];
        let mut templates = vec![String::new()];
        for _ in 0..5 {
            let longer = |template: &String| pieces.map(|piece| format!("{template}{piece}"));
            templates = templates.iter().flat_map(longer).collect();
            for template in &templates {
                let complete = template.contains(NAME) && template.contains(NAMESPACE);
                let by_rule = complete && rule.is_match(template);
                assert_eq!(by_rule, tells_engines_apart(template), "{template}");
            }
        }
    }
}
