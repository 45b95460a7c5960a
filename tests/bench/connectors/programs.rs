//! The programs of these comparisons, as processes on loopback.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use userengine_api::key::EncryptionKey;
use userengine_api::layout::env;

use super::caller::{Caller, Door, Speech};
use super::http::{Connection, post};
use crate::machine::pause;
use crate::server::{API_KEY, POLL, Server, free_address};

/// Longer than a start takes on any machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// What the echo server asks for.
const TOKEN: &str = "bench-token";

/// Where the programs are.
pub struct Programs {
    /// The engine.
    pub engine: PathBuf,
    /// Our echo server.
    pub echo: PathBuf,
    /// The proxy of the crate `mcp-proxy`.
    pub crate_proxy: PathBuf,
    /// Python with FastMCP.
    pub python: PathBuf,
    /// For brains, catalogs and logs.
    pub scratch: PathBuf,
}

/// A server and where it is.
pub struct Running {
    /// The process.
    pub server: Server,
    /// Host and port.
    pub address: SocketAddr,
}

/// Settings of an engine beyond what it needs.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

impl Programs {
    /// The echo server: with its token if an engine is to call it, without for proxies that are given none.
    pub fn echo(&self, address: SocketAddr, with_token: bool) -> anyhow::Result<Running> {
        let mut command = Command::new(&self.echo);
        command.arg(address.to_string());
        if with_token {
            command.arg(TOKEN);
        }
        self.start("echo", command, address)
    }

    /// An engine that is connected to echo servers as `echo0`, `echo1` and so on, each with a sealed credential.
    pub fn engine(
        &self,
        name: &str,
        echoes: &[SocketAddr],
        settings: Settings,
    ) -> anyhow::Result<Running> {
        let folder = self.scratch.join(name);
        let catalog = folder.join("catalog");
        fs::create_dir_all(&catalog)?;
        for (number, echo) in echoes.iter().enumerate() {
            fs::write(
                catalog.join(format!("echo{number}.json")),
                entry(number, *echo).to_string(),
            )?;
        }
        let (address, internal) = (free_address()?, free_address()?);
        let allowed: Vec<_> = echoes.iter().map(|echo| format!("http://{echo}")).collect();
        let mut command = Command::new(&self.engine);
        command.arg("serve").env_clear().envs([
            (
                env::SQLITE_DB_PATH,
                folder.join("brain.sqlite").display().to_string(),
            ),
            (
                env::AD_ENCRYPTION_KEY,
                EncryptionKey::from_bytes([7; 32]).text().to_string(),
            ),
            (env::ENGINE_API_KEY, API_KEY.to_owned()),
            (env::LISTEN_ADDR, address.to_string()),
            (env::INTERNAL_ADDR, internal.to_string()),
            (env::CATALOG_DIR, catalog.display().to_string()),
            (env::EGRESS_ALLOW, allowed.join(",")),
        ]);
        command.envs(settings.iter().copied());
        let running = self.start(name, command, address)?;
        for number in 0..echoes.len() {
            connect(address, number)?;
            Caller::open(&engine_door(address, number, "echo"))?.call()?;
        }
        Ok(running)
    }

    /// The proxy of the crate `mcp-proxy`, in its smallest configuration.
    pub fn crate_proxy(&self, echo: SocketAddr) -> anyhow::Result<Running> {
        let address = free_address()?;
        let config = self
            .scratch
            .join(format!("mcp-proxy-{}.toml", address.port()));
        let text = format!(
            "[proxy]\nname = \"bench\"\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {}\n\
             [[backends]]\nname = \"echo\"\ntransport = \"http\"\nurl = \"http://{echo}/mcp\"\n\
             [observability]\nlog_level = \"warn\"\n",
            address.port()
        );
        fs::write(&config, text)?;
        let mut command = Command::new(&self.crate_proxy);
        command.arg("--config").arg(config);
        self.start("mcp-proxy", command, address)
    }

    /// FastMCP's proxy.
    pub fn fastmcp(&self, echo: SocketAddr) -> anyhow::Result<Running> {
        let address = free_address()?;
        let program = format!(
            "from fastmcp.server import create_proxy\n\
             create_proxy('http://{echo}/mcp').run(transport='http', host='127.0.0.1', port={}, \
             show_banner=False, log_level='warning')",
            address.port()
        );
        let mut command = Command::new(&self.python);
        command.args(["-c", &program]);
        self.start("fastmcp", command, address)
    }

    fn start(
        &self,
        name: &str,
        mut command: Command,
        address: SocketAddr,
    ) -> anyhow::Result<Running> {
        let log = self.log(name);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let mut server = Server::spawn(command)?;
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(!server.has_ended()?, "{name} ended: {}", said());
            ensure!(
                began.elapsed() < DEADLINE,
                "{name} does not listen: {}",
                said()
            );
            pause(POLL);
        }
        Ok(Running { server, address })
    }

    fn log(&self, name: &str) -> PathBuf {
        self.scratch.join(Path::new(name).with_extension("log"))
    }
}

/// The door to a tool of connection `number`.
pub fn engine_door(address: SocketAddr, number: usize, tool: &str) -> Door {
    Door {
        address,
        speech: Speech::Engine(format!("echo{number}.{tool}")),
    }
}

/// The door to a tool by MCP.
pub fn mcp_door(address: SocketAddr, path: &str, tool: &str) -> Door {
    let (path, tool) = (path.to_owned(), tool.to_owned());
    Door {
        address,
        speech: Speech::Mcp { path, tool },
    }
}

fn entry(number: usize, echo: SocketAddr) -> Value {
    json!({
        "name": format!("echo{number}"),
        "transport": "streamable_http",
        "url": format!("http://{echo}/mcp"),
        "auth_method": "static",
        "tools": { "echo": { "class": "read" }, "write": { "class": "write" } },
    })
}

fn connect(engine: SocketAddr, number: usize) -> anyhow::Result<()> {
    let body = json!({
        "server_name": format!("echo{number}"),
        "server_config": { "credential": TOKEN },
    });
    let headers = format!("X-Engine-Key: {API_KEY}\r\n");
    let mut connection = Connection::open(engine)?;
    let request = post("/assets/connect", &headers, &body.to_string());
    let (status, answer) = connection
        .exchange(&request)
        .context("failed to connect a server")?;
    ensure!(
        matches!(status, 200 | 201),
        "connecting was answered {status}: {}",
        String::from_utf8_lossy(answer)
    );
    Ok(())
}
