//! Servers of others, as processes on loopback. `tests/peers.sh` installs them; nothing is skipped without them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::process::DEADLINE;
use super::request::{get, post};

#[expect(
    clippy::disallowed_methods,
    reason = "where the peers are is no setting of the product"
)]
/// The folder of an installed part; a panic that says what to do if it is missing.
pub fn part(name: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let folder = cache.join("userengine/peers").join(name);
    assert!(
        folder.join("stamp").exists(),
        "{} is missing: run tests/peers.sh {name}",
        folder.display()
    );
    folder
}

/// A file of `tests/peers/`.
pub fn committed(name: &str) -> PathBuf {
    Path::new("../tests/peers")
        .join(name)
        .canonicalize()
        .unwrap()
}

/// Node.js 22.
pub fn node() -> PathBuf {
    part("servers").join("node_modules/.bin/node")
}

/// Python with FastMCP and `cryptography`.
pub fn python() -> PathBuf {
    part("python").join("bin/python")
}

/// The main file of `@modelcontextprotocol/server-…`.
pub fn server(name: &str) -> PathBuf {
    part("servers").join(format!(
        "node_modules/@modelcontextprotocol/server-{name}/dist/index.js"
    ))
}

/// A process group that ends with the test.
pub struct Peer {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Peer {
    fn start(mut command: Command) -> Self {
        let (ours, theirs) = std::io::pipe().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs)
            .process_group(0)
            .spawn()
            .unwrap();
        drop(command); // it holds the writing end
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(ours).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// The first line that `wanted` takes something from.
    fn wait_for<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("the peer did not get ready: {:#?}", self.seen)
            };
            let found = wanted(&line);
            self.seen.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Stops the whole group without a word, as a server that hangs.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// The opposite of [`Peer::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Whoever has ended cannot be killed, and that is fine.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        drop(self.child.wait());
    }
}

/// `server-everything` over HTTP.
pub struct Everything {
    _peer: Peer,
    pub url: String,
    /// `http://127.0.0.1:PORT`, for `EGRESS_ALLOW`.
    pub origin: String,
}

impl Everything {
    pub fn streamable_http() -> Self {
        Self::start("streamableHttp", "/mcp", 0)
    }

    /// At the port that an earlier one had.
    pub fn streamable_http_at(port: u16) -> Self {
        Self::start("streamableHttp", "/mcp", port)
    }

    pub fn sse() -> Self {
        Self::start("sse", "/sse", 0)
    }

    fn start(transport: &str, path: &str, port: u16) -> Self {
        let mut command = Command::new(node());
        command.arg("--require").arg(committed("loopback.cjs"));
        command
            .arg(server("everything"))
            .arg(transport)
            .env("PORT", port.to_string());
        let mut peer = Peer::start(command);
        let address = peer.wait_for(|line| line.strip_prefix("LISTENING ").map(str::to_owned));
        let origin = format!("http://{address}");
        Self {
            _peer: peer,
            url: format!("{origin}{path}"),
            origin,
        }
    }
}

/// `oauth_server.py`: notes behind OAuth.
pub struct Notes {
    _peer: Peer,
    pub url: String,
    /// `http://127.0.0.1:PORT`, for `EGRESS_ALLOW`.
    pub origin: String,
    address: SocketAddr,
}

impl Notes {
    /// With access tokens that live this long.
    pub fn start(access_seconds: u32) -> Self {
        let mut command = Command::new(python());
        command.arg(committed("oauth_server.py"));
        command.args(["--access-seconds", &access_seconds.to_string()]);
        let mut peer = Peer::start(command);
        let ready: Value = peer.wait_for(|line| serde_json::from_str(line).ok());
        let url = ready["mcp"].as_str().unwrap().to_owned();
        let origin = url.strip_suffix("/mcp").unwrap().to_owned();
        let address = origin.strip_prefix("http://").unwrap().parse().unwrap();
        Self {
            _peer: peer,
            url,
            origin,
            address,
        }
    }

    /// How often this happened at the provider.
    pub fn count(&self, what: &str) -> u64 {
        let counts = get(self.address, "/control/counts", "").json();
        counts[what].as_u64().unwrap_or_default()
    }

    /// The person takes back their consent at the provider.
    pub fn forget(&self) {
        assert_eq!(post(self.address, "/control/forget", "").status, 200);
    }
}

/// Our own echo server (`examples/echo.rs`), which asks for a token.
pub struct Echo {
    pub peer: Peer,
    pub url: String,
    /// `http://127.0.0.1:PORT`, for `EGRESS_ALLOW`.
    pub origin: String,
}

impl Echo {
    pub fn start(token: &str) -> Self {
        Self::start_at("127.0.0.1:0", token)
    }

    /// At an address that was one's before.
    pub fn start_at(address: &str, token: &str) -> Self {
        // Examples are built with the tests of their package.
        let engine = Path::new(env!("CARGO_BIN_EXE_engine"));
        let echo = engine.with_file_name("examples").join("echo");
        assert!(
            echo.exists(),
            "build it: cargo build -p userengine-engine --example echo"
        );
        let mut command = Command::new(echo);
        command.args([address, token]);
        let mut peer = Peer::start(command);
        let address = peer.wait_for(|line| line.parse::<SocketAddr>().ok());
        let origin = format!("http://{address}");
        Self {
            peer,
            url: format!("{origin}/mcp"),
            origin,
        }
    }
}
