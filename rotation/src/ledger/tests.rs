use super::*;

const A: &str = "aaaaaaaaaaaaaaaa:active:0011223344";
const B: &str = "bbbbbbbbbbbbbbbb:staged:5566778899";

fn keys(text: &str) -> Result<Ledger, LedgerError> {
    let keys = text.to_owned();
    Ledger::parse(&Texts {
        keys,
        ..Texts::default()
    })
}

fn texts() -> Texts {
    let others = "cccccccccccccccc:withheld:aabbccddee:1700000000,dddddddddddddddd:destroying:0000000000,\
                  eeeeeeeeeeeeeeee:compromised:1111111111:-5";
    let some = |text: &str| Some(text.to_owned());
    Texts {
        keys: format!("{A},{B},{others}"),
        consumed: some("0123456789,abcdef0123"),
        open: some(concat!(
            r#"{"id":"r-2","mode":"Normal","suffix":"5566778899","was":{"withheld":{"since":5}},"#,
            r#""setAside":["connections/conn-1"],"phase":"Running","attempt":2,"started":10,"since":20,"#,
            r#""reached":{"step":"migrating","done":7},"doubt":true}"#,
        )),
        last: some(
            r#"{"id":"r-1","outcome":"Failed","started":1,"ended":2,"why":"the time was up"}"#,
        ),
    }
}

#[test]
fn reads_back_what_it_wrote() {
    let ledger = Ledger::parse(&texts()).unwrap();
    assert_eq!(ledger.texts(), texts());
    assert_eq!(ledger.keys.len(), 5);
    assert_eq!(ledger.consumed.len(), 2);
}

#[test]
fn an_empty_annotation_is_as_good_as_none() {
    let none = keys(A).unwrap();
    let empty = Some(String::new());
    let (consumed, open, last) = (empty.clone(), empty.clone(), empty);
    let keys = A.to_owned();
    let texts = Texts {
        keys,
        consumed,
        open,
        last,
    };
    assert_eq!(Ledger::parse(&texts), Ok(none.clone()));
    assert_eq!(
        (none.texts().consumed, none.texts().open, none.texts().last),
        (None, None, None)
    );
}

#[test]
fn a_brain_is_born_with_one_key_that_seals() {
    let born = Ledger::born("a".repeat(16).parse().unwrap(), "0011223344".to_owned());
    assert_eq!(born.texts().keys, A);
}

#[test]
fn refuses_a_list_of_keys_that_it_cannot_trust() {
    for entry in [
        "",
        "x",
        "aaaaaaaaaaaaaaaa:active",
        "aaaaaaaaaaaaaaaa:sleeping:0011223344",
        "aaaaaaaaaaaaaaaa:active:0011223344:5",
        "aaaaaaaaaaaaaaaa:active:00112233",
        "aaaaaaaaaaaaaaaa:active:001122334G",
        "AAAAAAAAAAAAAAAA:active:0011223344",
        "aaaaaaaaaaaaaaaa:withheld:0011223344",
        "aaaaaaaaaaaaaaaa:withheld:0011223344:",
        "aaaaaaaaaaaaaaaa:withheld:0011223344:now",
        "aaaaaaaaaaaaaaaa:withheld:0011223344:5:6",
        "aaaaaaaaaaaaaaaa:staged:0011223344:5",
        "aaaaaaaaaaaaaaaa:destroying:0011223344:5",
        "aaaaaaaaaaaaaaaa:compromised:0011223344",
    ] {
        assert_eq!(keys(entry), Err(LedgerError::Key(entry.to_owned())));
    }
    assert_eq!(keys(&format!("{A},")), Err(LedgerError::Key(String::new())));
}

#[test]
fn refuses_a_key_or_a_secret_that_is_listed_twice() {
    for twin in [
        "aaaaaaaaaaaaaaaa:staged:5566778899",
        "bbbbbbbbbbbbbbbb:staged:0011223344",
    ] {
        let kid = twin.split(':').next().unwrap().to_owned();
        assert_eq!(keys(&format!("{A},{twin}")), Err(LedgerError::Twice(kid)));
    }
}

#[test]
fn refuses_any_number_of_active_keys_but_one() {
    assert_eq!(keys(B), Err(LedgerError::Active(0)));
    let other = "ffffffffffffffff:active:ffffffffff";
    assert_eq!(keys(&format!("{A},{other}")), Err(LedgerError::Active(2)));
}

#[test]
fn refuses_a_hash_that_is_none() {
    for (text, entry) in [
        ("012345678", "012345678"),
        ("0123456789,", ""),
        ("012345678G", "012345678G"),
    ] {
        let consumed = Some(text.to_owned());
        let refused = Ledger::parse(&Texts {
            consumed,
            ..texts()
        });
        assert_eq!(refused, Err(LedgerError::Consumed(entry.to_owned())));
    }
}

#[test]
fn refuses_json_that_says_more_or_less_than_it_knows() {
    let whole = texts().open.unwrap();
    for broken in [
        "{".to_owned(),
        whole.replace("\"attempt\":2,", ""),
        whole.replace("{\"id\"", "{\"new\":1,\"id\""),
    ] {
        let refused = Ledger::parse(&Texts {
            open: Some(broken),
            ..texts()
        });
        assert!(matches!(refused, Err(LedgerError::Open(_))));
    }
    let last = Some(r#"{"id":"r 1"}"#.to_owned());
    let refused = Ledger::parse(&Texts { last, ..texts() });
    assert!(matches!(refused, Err(LedgerError::Last(_))));
}

#[test]
fn refuses_an_open_rotation_whose_target_is_not_where_its_phase_says() {
    let unknown = Texts {
        keys: A.to_owned(),
        ..texts()
    };
    let target = || LedgerError::Target("5566778899".to_owned());
    assert_eq!(Ledger::parse(&unknown), Err(target()));
    for (phase, state, is_read) in [
        ("Quiescing", "staged", true),
        ("Clearing", "staged", true),
        ("Running", "withheld", false),
        ("Minting", "staged", false),
    ] {
        let since = if state == "withheld" { ":5" } else { "" };
        let keys = format!("{A},bbbbbbbbbbbbbbbb:{state}:5566778899{since}");
        let open = texts().open.map(|text| text.replace("Running", phase));
        let parsed = Ledger::parse(&Texts {
            keys,
            open,
            ..texts()
        });
        assert_eq!(parsed.is_ok(), is_read, "{phase} {state}");
    }
}

#[test]
fn an_id_is_consumed_by_its_hash() {
    let id = |text: &str| RotationId::try_from(text.to_owned()).unwrap();
    let mut ledger = keys(A).unwrap();
    assert!(!ledger.has_consumed(&id("r-1")));
    // printf r-1 | sha256sum
    let hash = IdHash::of(&id("r-1"));
    assert_eq!(hash.as_str(), "a5fa777a3d");
    ledger.consumed.insert(hash);
    assert!(ledger.has_consumed(&id("r-1")) && !ledger.has_consumed(&id("r-2")));
}
