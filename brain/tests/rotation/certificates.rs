//! What a certificate shows to whoever has the key, and what it does not.

use userengine_brain::rotation::{CertificateError, verify_certificate};
use userengine_brain::store::rotation::{Entry, Event};

use crate::support::{Volume, task};

#[test]
fn a_certificate_is_checked_without_the_cluster() {
    let volume = Volume::with_rows(3);
    let certificate = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    let text = serde_json::to_string(&certificate).unwrap();
    let vault = volume.vault(&[2]);
    let problem = |text: &str| verify_certificate(text, &vault, None).unwrap_err();
    assert!(verify_certificate(&text, &vault, None).is_ok());

    let altered = text.replace(
        r#""connections.credentials":3"#,
        r#""connections.credentials":4"#,
    );
    assert!(matches!(problem(&altered), CertificateError::Signature));
    let root = &certificate.inventory_after;
    let differs = text.replacen(root, &"0".repeat(64), 1);
    assert!(matches!(problem(&differs), CertificateError::Inventories));
    assert!(matches!(problem("{}"), CertificateError::Form(_)));
    let later = text.replace(r#""version":1"#, r#""version":2"#);
    assert!(matches!(problem(&later), CertificateError::Form(_)));
    let old = verify_certificate(&text, &volume.vault(&[1]), None).unwrap_err();
    assert!(matches!(old, CertificateError::KeyNotHeld(_)));

    let other = Volume::with_rows(3);
    other.rotate(&[1, 2], &task("first", &[1, 2]));
    assert!(matches!(
        other.checked_against_its_log(&text),
        Err(CertificateError::NotInLog)
    ));
}

#[test]
fn only_an_entry_that_certifies_exactly_this_at_this_place_is_its_own() {
    let volume = Volume::with_rows(3);
    let certificate = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    let text = serde_json::to_string(&certificate).unwrap();
    let vault = volume.vault(&[2]);
    let log = volume.log();
    let own = log.last().unwrap();
    let check = |brain, entry: Entry| verify_certificate(&text, &vault, Some((brain, &[entry])));
    assert_eq!(check("mine", own.clone()).unwrap(), certificate);
    assert!(matches!(
        check("other", own.clone()),
        Err(CertificateError::OtherBrain { .. })
    ));
    let another = |change: fn(&mut Entry)| {
        let mut entry = own.clone();
        change(&mut entry);
        entry
    };
    for entry in [
        another(|entry| entry.event = Event::Verified),
        another(|entry| entry.previous = entry.hash.clone()),
        another(|entry| entry.details = entry.details.replace("engine:test", "engine:else")),
        another(|entry| entry.details = "{}".to_owned()),
    ] {
        let found = check("mine", entry.clone());
        assert!(
            matches!(found, Err(CertificateError::NotInLog)),
            "{entry:?}"
        );
    }
}
