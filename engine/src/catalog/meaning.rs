//! From an entry as it is written to an entry that can be used.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

use super::address;
use super::entry::{Endpoint, Entry, OauthSettings, StaticSettings, ToolSettings};
use super::header;
use super::problem::Problem;
use super::secret::SecretFile;
use super::surroundings::Surroundings;
use super::written::{Command, Oauth, Static, Tool, Written};
use crate::domain::{ServerName, Transport};
use crate::stamps::Look;

/// An entry, and what the file of its secret looked like just before it was read.
#[derive(Debug)]
pub(super) struct Understood {
    pub entry: Entry,
    pub secret: Option<Look>,
}

/// Judges what the form cannot. Gives an entry only if neither finds a mistake.
pub(super) fn understand(
    written: Written,
    mut problems: Vec<Problem>,
    around: &Surroundings,
) -> Result<Understood, Vec<Problem>> {
    let mut reader = Reader {
        around,
        problems: &mut problems,
    };
    let understood = reader.entry(written);
    match understood {
        Some(understood) if problems.is_empty() => Ok(understood),
        _ => {
            problems.sort();
            Err(problems)
        }
    }
}

struct Reader<'a> {
    around: &'a Surroundings,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// `None` if a field is missing that the form has named already.
    fn entry(&mut self, written: Written) -> Option<Understood> {
        let name = written
            .name
            .and_then(|name| ServerName::try_from(name).ok());
        let url = written.url.and_then(|url| self.address("url", &url));
        let credential = self.credential(
            written.r#static.unwrap_or_default(),
            written.command.as_ref(),
        );
        let (oauth, secret) = self.oauth(written.oauth.unwrap_or_default());
        let endpoint = match written.transport? {
            Transport::StreamableHttp => Endpoint::StreamableHttp(url?),
            Transport::Sse => Endpoint::Sse(url?),
            Transport::Stdio => process(written.command?)?,
        };
        let child = on_kubernetes_no_children(&endpoint, self.around);
        let (client_secret, look, missing) = self.client_secret(secret.as_ref());
        let name = name?;
        let entry = Entry {
            display_name: written.display_name.unwrap_or_else(|| name.to_string()),
            name,
            endpoint,
            auth_method: written.auth_method?,
            r#static: credential,
            oauth: OauthSettings {
                client_secret,
                ..oauth
            },
            trust_annotations: written.trust_annotations.unwrap_or_default(),
            tools: written
                .tools
                .unwrap_or_default()
                .into_iter()
                .map(|(action, tool)| (action, settings(tool)))
                .collect(),
            unavailable: child.or(missing),
        };
        Some(Understood {
            entry,
            secret: look,
        })
    }

    fn address(&mut self, field: &str, text: &str) -> Option<Url> {
        let parsed = address::parse(text, &self.around.allowed);
        self.noted(&[field], parsed)
    }

    fn credential(&mut self, written: Static, command: Option<&Command>) -> StaticSettings {
        if let Some(header) = &written.header {
            let checked = header::check(header);
            self.noted(&["static", "header"], checked);
        }
        if let (Some(variable), Some(Command::Parts { env, .. })) = (&written.env, command)
            && env.contains_key(variable)
        {
            let twice = "expected a variable that `command.env` does not set";
            self.problems.push(Problem::at(&["static", "env"], twice));
        }
        StaticSettings {
            header: written.header,
            prefix: written.prefix,
            env: written.env,
        }
    }

    fn oauth(&mut self, written: Oauth) -> (OauthSettings, Option<SecretFile>) {
        let allowed = &self.around.allowed;
        let issuer = written
            .issuer
            .map(|text| address::parse_issuer(&text, allowed));
        let revocation_url = written
            .revocation_url
            .map(|text| address::parse(&text, allowed));
        let secret = written
            .client_secret_file
            .map(|text| SecretFile::parse(&text, self.around.on_kubernetes));
        let settings = OauthSettings {
            client_id: written.client_id,
            client_secret: None,
            scopes: written.scopes.unwrap_or_default().into_iter().collect(),
            issuer: issuer.and_then(|parsed| self.noted(&["oauth", "issuer"], parsed)),
            revocation_url: revocation_url
                .and_then(|parsed| self.noted(&["oauth", "revocation_url"], parsed)),
        };
        (
            settings,
            secret.and_then(|parsed| self.noted(&["oauth", "client_secret_file"], parsed)),
        )
    }

    /// A secret that is missing makes this server unavailable, not the catalog wrong: it may come later than the entry.
    fn client_secret(
        &self,
        file: Option<&SecretFile>,
    ) -> (Option<SecretString>, Option<Look>, Option<String>) {
        let Some(file) = file else {
            return (None, None, None);
        };
        // Before it is read: what is written meanwhile is seen at the next look.
        let look = file.path(self.around).map(Look::at);
        match file.read(self.around) {
            Ok(secret) => (Some(secret), look, None),
            Err(reason) => (None, look, Some(reason)),
        }
    }

    fn noted<T>(&mut self, field: &[&str], outcome: Result<T, impl Into<String>>) -> Option<T> {
        outcome
            .map_err(|text| self.problems.push(Problem::at(field, text)))
            .ok()
    }
}

fn on_kubernetes_no_children(endpoint: &Endpoint, around: &Surroundings) -> Option<String> {
    let refused = around.on_kubernetes && endpoint.transport() == Transport::Stdio;
    refused.then(|| {
        "on Kubernetes an engine starts no children: offer the server over HTTP".to_owned()
    })
}

fn process(command: Command) -> Option<Endpoint> {
    let (program, args, env) = match command {
        Command::List(mut words) if !words.is_empty() => (words.remove(0), words, BTreeMap::new()),
        Command::List(_) => return None,
        Command::Parts { program, args, env } => (program?, args, env),
    };
    Some(Endpoint::Stdio { program, args, env })
}

fn settings(written: Tool) -> ToolSettings {
    ToolSettings {
        class: written.class,
        open_world: written.open_world,
        idempotent: written.idempotent,
        description: written.description,
    }
}
