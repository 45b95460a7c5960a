//! Lines for a shell, as a person types them.

use std::process::{Command, Output};

use serde_json::Value;

use super::process::{API_KEY, Engine};

/// A shell with `ENGINE_URL`, `KEY` and more variables.
#[derive(Clone)]
pub struct Shell(Vec<(String, String)>);

/// What a line printed. A panic if it failed.
pub struct Printed(pub String);

impl Printed {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_else(|error| panic!("{error}: {:?}", self.0))
    }
}

impl Shell {
    /// Without variables of its own.
    pub fn plain() -> Self {
        Self(Vec::new())
    }

    /// For the lines of the documentation.
    pub fn of(engine: &Engine) -> Self {
        Self::plain()
            .with("ENGINE_URL", &format!("http://{}", engine.address()))
            .with("KEY", API_KEY)
    }

    /// Sets a variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the line prints.
    pub fn run(&self, line: &str) -> Printed {
        let output = self.output(line);
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{line}\n{out}\n{err}");
        Printed(out)
    }

    /// Status and body that the line's curl gets.
    pub fn answer(&self, line: &str) -> (u16, Value) {
        let printed = self.run(&format!("{line} -w '\n%{{http_code}}'"));
        let (body, status) = printed.0.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), Printed(body.to_owned()).json())
    }

    /// Runs the line, which may fail.
    pub fn output(&self, line: &str) -> Output {
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", line])
            .envs(self.0.iter().cloned());
        command.output().unwrap()
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
