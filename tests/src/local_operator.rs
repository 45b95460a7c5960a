//! An operator as a process of this machine, which reaches the API server only through what stands between them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use userengine_api::layout::INTERNAL_PORT;

use crate::between::Between;
use crate::operator::LEASE;
use crate::{Namespace, SYSTEM, eventually};

/// The chart's ServiceAccount and Deployment.
const NAME: &str = "userengine";
/// Longest wait for its end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seconds in which one that leads has renewed, also after another one had to take over.
const RENEWED_WITHIN: u64 = 30;
/// Name of the policy that lets a local operator talk to the engines of a namespace.
pub const WINDOW: &str = "local-operator";

/// It is started again whenever it ends, and ends with this value.
pub struct LocalOperator {
    /// What stands between it and the API server.
    pub between: Between,
    /// Its name as a replica.
    pub name: String,
    process: Arc<AtomicI32>,
    wish: watch::Sender<Wish>,
    supervisor: JoinHandle<()>,
    folder: TempDir,
}

/// What is wanted of the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Run,
    Rest,
    End,
}

impl LocalOperator {
    /// Starts it, as the chart's ServiceAccount. Nobody else may run as an operator meanwhile.
    pub async fn start(client: &kube::Client) -> anyhow::Result<Self> {
        Self::named(client, "local-operator").await
    }

    /// The same, as the replica of this name.
    pub async fn named(client: &kube::Client, name: &str) -> anyhow::Result<Self> {
        let process = Arc::new(AtomicI32::new(0));
        let between = Between::start(token(client).await?, process.clone()).await?;
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let text = kubeconfig_of(&format!("http://{}", between.address));
        fs::write(&kubeconfig, text.to_string())?;
        let (wish, wishes) = watch::channel(Wish::Run);
        let program = Program {
            path: binary()?,
            name: name.to_owned(),
            kubeconfig,
            log: folder.path().join("log"),
        };
        let supervisor = tokio::spawn(keep_running(program, process.clone(), wishes));
        Ok(Self {
            between,
            name: name.to_owned(),
            process,
            wish,
            supervisor,
            folder,
        })
    }

    /// SIGKILL. It is started again at once, as itself.
    pub fn kill(&self) {
        // It may have ended by itself.
        let _gone = self.signal(Signal::KILL);
    }

    /// SIGKILL, and it is not started again before [`LocalOperator::resume`].
    pub fn rest(&self) {
        self.rest_at_the_end();
        self.kill();
    }

    /// Once it has ended it is not started again before [`LocalOperator::resume`].
    pub fn rest_at_the_end(&self) {
        self.wish.send_replace(Wish::Rest);
    }

    /// Ends a rest.
    pub fn resume(&self) {
        self.wish.send_replace(Wish::Run);
    }

    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        let process = Pid::from_raw(self.process.load(Ordering::SeqCst));
        process.map_or(Ok(()), |process| kill_process(process, signal))
    }

    /// Ends it as its pod would be ended, so that it leaves the lead to whoever is next.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.wish.send_replace(Wish::End);
        self.signal(Signal::TERM)?;
        timeout(PATIENCE, &mut self.supervisor)
            .await
            .context("the operator does not stop")??;
        Ok(())
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let all = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = all.lines().collect();
        lines.split_at(lines.len().saturating_sub(60)).1.join("\n")
    }
}

impl Drop for LocalOperator {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// Who leads, and renews: not only did so before it died.
pub async fn renewing_leader(client: &kube::Client) -> anyhow::Result<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM);
    let last = RefCell::new(None);
    eventually("a leader that renews", RENEWED_WITHIN, || async {
        let spec = leases.get(LEASE).await?.spec;
        let now = spec.and_then(|it| Some((it.holder_identity?, it.renew_time?)));
        let last = last.replace(now.clone());
        let renews = now.zip(last);
        let renews = renews.filter(|(now, last)| now.0 == last.0 && now.1 != last.1);
        Ok(renews.map(|((holder, _), _)| holder))
    })
    .await
}

/// Takes the Lease away by which one of them leads.
pub async fn take_lease_away(client: &kube::Client) -> anyhow::Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM);
    leases.delete(LEASE, &DeleteParams::default()).await?;
    Ok(())
}

impl Namespace {
    /// Lets this machine talk to the engines of this namespace on their internal port, as the operator's pods may.
    pub async fn open_window(&self) -> anyhow::Result<()> {
        let policy = json!({
            "metadata": { "name": WINDOW },
            "spec": {
                "podSelector": {},
                "policyTypes": ["Ingress"],
                "ingress": [{ "from": [{ "ipBlock": { "cidr": "0.0.0.0/0" } }], "ports": [{ "port": INTERNAL_PORT }] }],
            },
        });
        self.create_object::<NetworkPolicy>(policy).await?;
        Ok(())
    }
}

struct Program {
    path: PathBuf,
    name: String,
    kubeconfig: PathBuf,
    log: PathBuf,
}

impl Program {
    fn command(&self) -> anyhow::Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.path);
        command
            .arg("run")
            .env("KUBECONFIG", &self.kubeconfig)
            .env("OPERATOR_NAMESPACE", SYSTEM)
            .env("OPERATOR_HTTP_ADDR", "127.0.0.1:0")
            // One that is started again is still the same, and leads on.
            .env("POD_NAME", &self.name)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// Starts it again as soon as it has ended, as a kubelet does.
async fn keep_running(
    program: Program,
    process: Arc<AtomicI32>,
    mut wishes: watch::Receiver<Wish>,
) {
    // An error: nobody wants anything of it any more.
    while let Ok(wish) = wishes
        .wait_for(|wish| *wish != Wish::Rest)
        .await
        .map(|it| *it)
    {
        if wish == Wish::End {
            return;
        }
        let started = program.command().and_then(|mut it| Ok(it.spawn()?));
        let Ok(mut child) = started else {
            eprintln!("{} does not start", program.path.display());
            return;
        };
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        process.store(id.unwrap_or_default(), Ordering::SeqCst);
        let ended = child.wait().await;
        process.store(0, Ordering::SeqCst);
        if let Ok(code) = ended
            && code.code().is_some_and(|code| code == 2)
        {
            eprintln!("the operator does not understand its command line: {code}");
            return;
        }
    }
}

/// The program that the operator's image is made of.
fn binary() -> anyhow::Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the images were made is the script's to say"
    )]
    let path = std::env::var("USERENGINE_OPERATOR")
        .context("USERENGINE_OPERATOR is not set: these tests need a cluster of tests/setup.sh")?;
    ensure!(Path::new(&path).is_file(), "there is no {path}");
    Ok(path.into())
}

async fn token(client: &kube::Client) -> anyhow::Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), SYSTEM);
    let request: TokenRequest =
        serde_json::from_value(json!({ "spec": { "audiences": [], "expirationSeconds": 86400 } }))?;
    let given = accounts
        .create_token_request(NAME, &PostParams::default(), &request)
        .await?;
    Ok(given.status.context("no token was given")?.token)
}

fn kubeconfig_of(server: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "between", "cluster": { "server": server } }],
        "users": [{ "name": "nobody", "user": {} }],
        "contexts": [{ "name": "between", "context": { "cluster": "between", "user": "nobody" } }],
        "current-context": "between",
    })
}
