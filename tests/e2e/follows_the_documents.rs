//! What the documents say to type is typed: every block of shell commands, or it is said who else types it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use userengine_api::names::Names;
use userengine_api::status::Phase;
use userengine_e2e::credentials::Credentials;
use userengine_e2e::desk::Desk;
use userengine_e2e::machine::volume_folder;
use userengine_e2e::{CLASS, Engine, in_namespace};

/// The documents.
const DOCUMENTS: [&str; 2] = ["README.md", "docs"];

/// How a block is typed.
enum Typed {
    /// For the running engine `alice` in the namespace that kubectl takes, with these words in place of those.
    With(&'static [(&'static str, &'static str)]),
    /// By a test of its own, with these words in place of those.
    Adopting,
    /// Nowhere here: this file does it, with these words of the block.
    Elsewhere(&'static str, &'static str),
}
use Typed::{Adopting, Elsewhere, With};

/// What `helm` and `kubectl create` would do is asked of the API server, which then does nothing.
const DRY: &[(&str, &str)] = &[
    ("helm install", "helm upgrade --install --dry-run=server"),
    (
        "helm upgrade userengine",
        "helm upgrade --dry-run=server userengine",
    ),
    (
        "system create configmap",
        "system create --dry-run=server configmap",
    ),
    (
        "kubectl create clusterrolebinding",
        "kubectl create --dry-run=server clusterrolebinding",
    ),
    ("kubectl apply", "kubectl apply --dry-run=server"),
];

/// The same of what somebody types first, in whose place alice is Ready and her workspace is there.
const NEWCOMER: &[(&str, &str)] = &[
    ("helm install", "helm upgrade --install --dry-run=server"),
    (
        "system create configmap",
        "system create --dry-run=server configmap",
    ),
    ("kubectl apply", "kubectl apply --dry-run=server"),
    (
        "-f examples/engines.yaml",
        "&& sed '/^ *namespace:/d; s/ name: / name: new-/' examples/engines.yaml | kubectl apply --dry-run=server -f -",
    ),
    (" --watch", ""),
    ("-n acme ", ""),
];

/// Each block, by how it begins.
const BLOCKS: [(&str, Typed); 16] = [
    (
        "curl -fsS \"$ENGINE_URL/assets/servers\"",
        Elsewhere("tests/demo-connect.sh", "/assets/servers"),
    ),
    (
        "curl -fsS -X POST \"$ENGINE_URL/admin/reload-catalog\"",
        Elsewhere("tests/e2e/hands_catalogs_on.rs", "/admin/reload-catalog"),
    ),
    ("make demo ", Elsewhere(".ci/run", "make test")),
    (
        "helm install userengine charts/userengine --namespace userengine-system --create-namespace\nkubectl -n userengine-system create configmap servers --from-file=examples/catalog/     # what",
        With(NEWCOMER),
    ),
    (
        "engine keygen > brain.key",
        With(&[
            (":8080", ":0"),
            (":9090", ":0"),
            ("engine serve", "timeout --preserve-status 10 engine serve"),
        ]),
    ),
    ("helm install userengine", With(DRY)),
    (
        "helm upgrade userengine charts/userengine --namespace userengine-system --reset-then-reuse-values --set 'watch",
        With(DRY),
    ),
    ("kubectl create clusterrolebinding", With(DRY)),
    (
        "kubectl -n userengine-system create configmap servers",
        With(DRY),
    ),
    ("kubectl annotate ue alice userengine.dev/paused", With(&[])),
    (
        "kubectl patch ue alice --type=merge -p '{\"spec\":{\"encryption\"",
        With(&[]),
    ),
    (
        "docker run",
        Elsewhere("engine/tests/rotation.rs", "certificate"),
    ),
    ("for ue in", With(&[("-n acme ", "")])),
    (
        "kubectl annotate secret alice-key-0123456789",
        With(&[(
            "alice-key-0123456789",
            "$(kubectl get secret -o name | grep alice-key- | head -1 | cut -d/ -f2)",
        )]),
    ),
    (
        "kubectl patch ue alice --type=merge -p '{\"spec\":{\"apiKey\"",
        With(&[("\"300s\"", "\"1s\"")]),
    ),
    (
        "AD_ENCRYPTION_KEY=$(cat brain.key) SQLITE_DB_PATH=./brain.sqlite engine check",
        Adopting,
    ),
];

/// Commands in the middle of a sentence that an engine which is well has no use for.
const FOR_OTHERS: [&str; 2] = [
    "kubectl -n userengine-system logs job/userengine-pre-delete",
    "kubectl wait ue alice --for=jsonpath='{.status.apiKey.phase}'=Overlapping",
];

/// Words of commands in the middle of a sentence, and what they stand for here. What would change something is asked of the API
/// server, which then does nothing.
const WORDS: &[(&str, &str)] = &[
    ("KIND NAME", "ue alice"),
    (
        "NAMESPACE",
        "$(kubectl config view --minify -o jsonpath={..namespace})",
    ),
    ("NAME", "alice"),
    ("NODE", "node0"),
    (" --previous", ""),
    (" annotate ", " annotate --dry-run=server "),
    (" create ", " create --dry-run=server "),
    (" delete ", " delete --dry-run=server --ignore-not-found "),
    (" patch ", " patch --dry-run=server "),
    (" scale ", " scale --dry-run=server "),
    (" taint ", " taint --dry-run=server "),
];

/// Where the documents' paths begin.
fn root() -> anyhow::Result<PathBuf> {
    Ok(Path::new("..").canonicalize()?)
}

/// The blocks of all documents, each with its document.
fn blocks() -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (document, text) in documents()? {
        let fenced = text.split("```sh\n").skip(1);
        let fenced = fenced.filter_map(|rest| Some(rest.split_once("```")?.0.trim().to_owned()));
        found.extend(fenced.map(|block| (document.clone(), block)));
    }
    Ok(found)
}

/// The commands of `kubectl` in the middle of sentences; those that say no more than which command it is are none.
fn asides() -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (document, text) in documents()? {
        let prose = text.split("```").step_by(2).collect::<String>();
        let quoted = prose.split('`').skip(1).step_by(2);
        let commands = quoted.filter(|it| it.starts_with("kubectl "));
        let commands = commands.filter(|it| it.split(' ').count() > 2);
        found.extend(commands.map(|it| (document.clone(), it.to_owned())));
    }
    Ok(found)
}

/// The documents and what they say.
fn documents() -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let path = root()?.join(document);
        let files = if path.is_dir() {
            let entries = fs::read_dir(&path)?;
            let paths = entries.map(|entry| Ok(entry?.path()));
            paths.collect::<anyhow::Result<Vec<_>>>()?
        } else {
            vec![path]
        };
        let documents = files
            .into_iter()
            .filter(|file| file.extension().is_some_and(|it| it == "md"));
        for file in documents {
            let text = fs::read_to_string(&file)?;
            found.push((file.display().to_string(), text));
        }
    }
    Ok(found)
}

fn typed(block: &str) -> Option<&'static Typed> {
    let mut known = BLOCKS.iter();
    let found = known.find(|(begin, _)| block.starts_with(begin));
    found.map(|(_, typed)| typed)
}

fn replaced(block: &str, words: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut text = block.to_owned();
    for (old, new) in words {
        text = text.replace(old, new);
    }
    ensure!(
        words.is_empty() || text != block,
        "nothing of {words:?} in {block}"
    );
    Ok(text)
}

#[tokio::test]
async fn what_the_documents_say_to_type_does_what_they_say() -> anyhow::Result<()> {
    let blocks = blocks()?;
    for (begin, _) in &BLOCKS {
        ensure!(
            blocks.iter().any(|(_, block)| block.starts_with(begin)),
            "no document says any more: {begin}"
        );
    }
    in_namespace("documents", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let desk = Desk::new(&namespace).await?;
        for (document, block) in blocks {
            let how = typed(&block).with_context(|| format!("{document}: nobody types {block}"))?;
            match how {
                With(words) => {
                    let commands = replaced(&block, words)?;
                    desk.types(&commands).await.context(document)?;
                }
                Elsewhere(path, words) => {
                    let does = fs::read_to_string(root()?.join(path)).context(path)?;
                    ensure!(
                        block.contains(words) && does.contains(words),
                        "{path}: {words}"
                    );
                }
                Adopting => {}
            }
        }
        let status = json!(engine.wait_phase(Phase::Ready).await?.status);
        for (document, command) in asides()? {
            if FOR_OTHERS.contains(&command.as_str()) {
                continue;
            }
            let command = WORDS
                .iter()
                .fold(command, |command, (old, new)| command.replace(old, new));
            desk.types(&command).await.context(document)?;
        }
        let at = |pointer: &str| status.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(at("/apiKey/rotationId"), json!("2026-12"));
        assert_eq!(at("/encryption/rotation/id"), json!("2026-12"));
        assert_eq!(at("/encryption/rotation/phase"), json!("Certified"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_volume_is_adopted_as_the_documents_say() -> anyhow::Result<()> {
    let blocks = blocks()?;
    let block = blocks.into_iter().map(|(_, block)| block);
    let mut block = block.filter(|block| matches!(typed(block), Some(Adopting)));
    let block = block
        .next()
        .context("no document says how to adopt a volume")?;
    in_namespace("adopting", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let credentials = Credentials::seed(&engine, 20).await?;
        let desk = Desk::new(&namespace).await?;
        forget(&engine, &desk).await?;
        let claim = Names("alice").claim();
        let brain = volume_folder(&namespace, &claim).await?.join("brain.sqlite");
        let check = "AD_ENCRYPTION_KEY=$(cat brain.key) SQLITE_DB_PATH=./brain.sqlite engine check";
        let found = format!(
            "found=$({check}); BRAIN=$(awk '/^brain/ {{print $2}}' <<<\"$found\") KID=$(awk '/^write key/ {{print $3}}' <<<\"$found\")"
        );
        let commands = replaced(
            &block,
            &[("BRAIN=… KID=…", &found), ("class=standard", &format!("class={CLASS}"))],
        )?;
        desk.types(&commands.replace("./brain.sqlite", &brain.display().to_string()))
            .await?;
        engine.wait_phase(Phase::Ready).await?;
        credentials.check().await?;
        Ok(())
    })
    .await
}

/// Leaves a volume with a brain of which nothing is known, and its key in a file.
async fn forget(engine: &Engine, desk: &Desk) -> anyhow::Result<()> {
    let namespace = &engine.namespace;
    let claims = namespace.api::<PersistentVolumeClaim>();
    let secrets = namespace.api::<Secret>();
    let keys = secrets.list(&kube::api::ListParams::default()).await?;
    let key = keys
        .into_iter()
        .find(|it| it.name_any().starts_with("alice-key-"));
    let key = key.context("there is no key")?;
    let text = key.data.as_ref().and_then(|data| data.get("key"));
    fs::write(
        desk.folder.path().join("brain.key"),
        &text.context("no key in it")?.0,
    )?;
    let object = userengine_e2e::engine("alice", "alice").to_string();
    fs::write(desk.folder.path().join("alice.yaml"), object)?;
    engine.delete().await?;
    secrets
        .delete(&key.name_any(), &DeleteParams::default())
        .await?;
    let claim = claims.get(&Names("alice").claim()).await?;
    let ours = claim.annotations().keys();
    let ours = ours.filter(|name| name.contains("userengine.dev/"));
    let gone: serde_json::Map<_, _> = ours.map(|name| (name.clone(), Value::Null)).collect();
    let patch = json!({ "metadata": { "annotations": gone } });
    namespace
        .merge::<PersistentVolumeClaim>(&claim.name_any(), patch)
        .await?;
    Ok(())
}
