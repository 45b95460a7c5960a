//! Each trouble, with its reason and the words that have to be in its message.

use super::*;

const IMAGE: &str = "registry.example.com/engine:1";

pub fn situations() -> Vec<Situation> {
    [of_the_container(), of_what_comes_before()]
        .into_iter()
        .flatten()
        .collect()
}

const ENGINE: fn(&Assessment) -> &Finding = |all| &all.engine;

fn of_the_container() -> Vec<Situation> {
    let pulls_again = waiting(
        "ImagePullBackOff",
        r#"Back-off pulling image "registry.example.com/engine:1": ErrImagePull: rpc error: code = NotFound desc = not found"#,
    );
    let unparsed = waiting("InvalidImageName", "couldn't parse image name");
    let never = waiting("ErrImageNeverPull", "not present with pull policy of Never");
    let misses = waiting(
        "CreateContainerConfigError",
        r#"configmap "alice" not found"#,
    );
    let starts_again = waiting(
        "CrashLoopBackOff",
        "back-off 10s restarting failed container",
    );
    let started = |message: &str| json!({ "terminated": { "reason": "StartError", "exitCode": 128, "message": message } });
    let too_small =
        started("runc create failed: container init was OOM-killed (memory limit too low?)");
    let no_binary = started("exec: \"engine\": not found");
    let none = json!({});
    let blocked = |world, reason, words| (world, ENGINE, reason, Severity::Blocked, words);
    vec![
        blocked(
            with(&pulls_again, &none, 0),
            Reason::ImagePullFailed,
            &[IMAGE, "code = NotFound"] as &[_],
        ),
        blocked(
            with(&unparsed, &none, 0),
            Reason::ImagePullFailed,
            &[IMAGE, "parse"],
        ),
        blocked(with(&never, &none, 0), Reason::ImagePullFailed, &["Never"]),
        blocked(
            with(&misses, &none, 0),
            Reason::ContainerConfigError,
            &[r#"configmap "alice""#],
        ),
        blocked(
            with(&starts_again, &ended("Error", 101, 1), 1),
            Reason::CrashLoop,
            &["exit code 101", "kubectl logs alice-0 --previous"],
        ),
        blocked(
            with(&starts_again, &no_binary, 1),
            Reason::CrashLoop,
            &["cannot be started", "not found"],
        ),
        blocked(
            with(&json!({ "running": {} }), &ended("OOMKilled", 137, 1), 1),
            Reason::OutOfMemory,
            &["64Mi", "resources.limits.memory"],
        ),
        blocked(
            with(&starts_again, &too_small, 1),
            Reason::OutOfMemory,
            &["64Mi"],
        ),
    ]
}

fn of_what_comes_before() -> Vec<Situation> {
    let attach =
        r#"Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) alice-0"#;
    let mount = r#"MountVolume.SetUp failed for volume "keyring" : secret "alice-key-0" not found"#;
    let attaching = creating(vec![told("FailedAttachVolume", attach, 10)]);
    let mounting = creating(vec![told("FailedMount", mount, 10)]);
    let network = r#"Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network: plugin type="ptp" failed"#;
    let too_small =
        "Failed to create pod sandbox: container init was OOM-killed (memory limit too low?)";
    let over_quota = refused(vec![told("FailedCreate", QUOTA, 10)]);
    let blocked = |world, reason, words| (world, ENGINE, reason, Severity::Blocked, words);
    vec![
        blocked(
            unscheduled(1, 1),
            Reason::Unschedulable,
            &["no node takes the pod", "Insufficient memory"] as &[_],
        ),
        (
            attaching,
            ENGINE,
            Reason::VolumeNotAttached,
            Severity::Waiting,
            &["Multi-Attach"],
        ),
        blocked(mounting, Reason::VolumeMountFailed, &["alice-key-0"]),
        blocked(
            creating(vec![told("FailedCreatePodSandBox", network, 10)]),
            Reason::SandboxFailed,
            &["sandbox", "setup network"],
        ),
        blocked(
            creating(vec![told("FailedCreatePodSandBox", too_small, 10)]),
            Reason::OutOfMemory,
            &["resources.limits.memory"],
        ),
        blocked(
            over_quota,
            Reason::PodRefused,
            &["'alice-0'", "exceeded quota: small"],
        ),
        blocked(unheard_of(), Reason::NodeUnreachable, &["'node-1'"]),
        (
            unprovisioned(),
            |all| &all.storage,
            Reason::ProvisioningFailed,
            Severity::Blocked,
            &["'alice-brain'", "\"fast\" not found"],
        ),
    ]
}
