//! Where the operator looks after engines: in every namespace, or in those that it was told.

use std::collections::BTreeSet;
use std::str::FromStr;

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};

/// Longest name of a namespace (RFC 1123).
const LONGEST: usize = 63;

/// The namespaces that are looked after; none named means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(BTreeSet<String>);

/// One request to the API server can list and watch this much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// All namespaces.
    Everywhere,
    /// The namespace of this name.
    In(Box<str>),
}

impl Namespaces {
    /// Every place to list and watch. No two of them have an object in common.
    pub fn places(&self) -> Vec<Place> {
        if self.0.is_empty() {
            return vec![Place::Everywhere];
        }
        self.0
            .iter()
            .map(|name| Place::In(name.as_str().into()))
            .collect()
    }

    /// The objects of one kind, place by place.
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let places = self.places().into_iter();
        places.map(|place| place.api(client)).collect()
    }
}

impl Place {
    /// The objects of one kind that are here.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::Everywhere => Api::all(client.clone()),
            Self::In(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }

    /// What is in this namespace is here.
    pub fn holds(&self, namespace: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::In(here) => **here == *namespace,
        }
    }
}

/// A name that no namespace can have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no namespace: names are joined by commas, and each has lowercase letters, digits and '-', and starts and ends with a letter or digit"
)]
pub struct NoNamespace(String);

impl FromStr for Namespaces {
    type Err = NoNamespace;

    /// Names joined by commas; white space around them and empty ones do not count.
    fn from_str(text: &str) -> Result<Self, NoNamespace> {
        let names = text.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        let names = names.map(|name| {
            let name = name.to_owned();
            if is_namespace(&name) {
                Ok(name)
            } else {
                Err(NoNamespace(name))
            }
        });
        names.collect::<Result<_, _>>().map(Self)
    }
}

fn is_namespace(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST
        && name.chars().all(|c| plain(c) || c == '-')
        && name.starts_with(plain)
        && name.ends_with(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_there_is_one_place_and_it_is_everywhere() {
        for nothing in ["", " ", ","] {
            let namespaces: Namespaces = nothing.parse().unwrap();
            assert_eq!(namespaces.places(), [Place::Everywhere], "{nothing:?}");
        }
    }

    #[test]
    fn each_name_is_one_place_however_often_it_is_named() {
        let namespaces: Namespaces = "team-b, team-a,team-b".parse().unwrap();
        assert_eq!(
            namespaces.places(),
            [Place::In("team-a".into()), Place::In("team-b".into())]
        );
        let held = namespaces.places();
        let held = held.iter().filter(|place| place.holds("team-b"));
        assert_eq!(held.count(), 1);
    }

    #[test]
    fn a_name_that_no_namespace_can_have_is_refused_by_name() {
        for wrong in ["team_a", "Team", "-a", "a-", "a b", &"a".repeat(64)] {
            let refused = format!("acme,{wrong}").parse::<Namespaces>();
            let words = refused.unwrap_err().to_string();
            assert!(words.starts_with(&format!("'{wrong}' is no")), "{words}");
        }
    }
}
