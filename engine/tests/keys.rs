//! The ring of a running engine.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::process::Setup;
use crate::support::volume::Volume;
use crate::support::{key, key_text};

#[test]
fn a_folder_is_read_as_the_kubelet_mounts_it() {
    let (volume, ring) = (Volume::new(), tempfile::tempdir().unwrap());
    let mount = |numbers: &[u8], time: &str| {
        let data = ring.path().join(time);
        fs::create_dir(&data).unwrap();
        for number in numbers {
            let kid = key(*number).kid();
            fs::write(data.join(kid.as_str()), key_text(*number)).unwrap();
            drop(fs::remove_file(ring.path().join(kid.as_str())));
            symlink(format!("..data/{kid}"), ring.path().join(kid.as_str())).unwrap();
        }
        drop(fs::remove_file(ring.path().join("..data")));
        symlink(time, ring.path().join("..data")).unwrap();
    };
    mount(&[1], "..2026_01_01");
    let setup = Setup::new(&volume)
        .without("AD_ENCRYPTION_KEY")
        .with("KEYRING_DIR", ring.path());
    assert!(setup.start().stop().status.success());

    mount(&[1, 2], "..2026_01_02");
    let engine = setup.start();
    let keys = engine.internal("/keys").json();
    let mut held = [key(1).kid(), key(2).kid()];
    held.sort();
    assert_eq!(keys["held_kids"], json!(held));
    assert_eq!(
        keys["write_kid"],
        json!(key(1).kid()),
        "the brain says which key seals, not the ring"
    );
    assert_eq!(keys["rows_by_kid"], json!({ key(1).kid().as_str(): 1 }));
    assert_eq!(keys["open_count"], 2);
}
