//! Which class an engine has.

use super::*;
use crate::user_engine::fixtures::class;

pub fn situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.class;
    let two = [
        class("standard", true, &json!({})),
        class("large", true, &json!({})),
    ];
    vec![
        (
            world(),
            of,
            Reason::AsExpected,
            Severity::Fine,
            &["'standard'"],
        ),
        (
            world().spec(&json!({ "className": "huge" })),
            of,
            Reason::ClassNotFound,
            Severity::Blocked,
            &["'huge'", "create it", "kubectl get engineclasses"],
        ),
        (
            world().classes([]),
            of,
            Reason::NoDefaultClass,
            Severity::Blocked,
            &["spec.className", labels::DEFAULT_CLASS],
        ),
        (
            world().classes(two),
            of,
            Reason::SeveralDefaultClasses,
            Severity::Blocked,
            &["spec.className", "large, standard", "leave the mark on one"],
        ),
    ]
}

#[test]
fn the_class_is_the_one_asked_for_else_the_last_one_else_the_default() {
    let followed = |world: World| {
        let all = ["standard", "recorded", "reported", "asked"];
        let world = world.classes(all.map(|name| class(name, name == "standard", &json!({}))));
        world.assess().resolved.map(|class| class.name)
    };
    let recorded = || crate::record::Record {
        class: "recorded".to_owned(),
        ..record()
    };
    let reported = |world: World| {
        world.engine(|engine| {
            engine.status.get_or_insert_default().class_name = Some("reported".to_owned());
        })
    };
    assert_eq!(followed(world()).as_deref(), Some("standard"));
    assert_eq!(followed(reported(world())).as_deref(), Some("reported"));
    assert_eq!(
        followed(reported(world().claimed_with(&recorded()))).as_deref(),
        Some("recorded")
    );
    assert_eq!(
        followed(
            reported(world().claimed_with(&recorded())).spec(&json!({ "className": "asked" }))
        )
        .as_deref(),
        Some("asked")
    );
}

#[test]
fn a_class_that_is_gone_is_not_replaced_by_the_default() {
    let stuck = world().claimed_with(&crate::record::Record {
        class: "gone".to_owned(),
        ..record()
    });
    assert_eq!(stuck.assess().class.reason, Reason::ClassNotFound);
}

#[test]
fn a_mark_that_moves_moves_no_engine_that_has_its_class() {
    let followed = |marked: [bool; 2]| {
        let [standard, large] = marked;
        let classes = [
            class("standard", standard, &json!({})),
            class("large", large, &json!({})),
        ];
        let assessment = world().claimed().with_key().classes(classes).assess();
        assert_eq!(assessment.class.reason, Reason::AsExpected, "{marked:?}");
        assessment.resolved.map(|class| class.name)
    };
    for marked in [[true, false], [false, true], [true, true], [false, false]] {
        assert_eq!(followed(marked).as_deref(), Some("standard"), "{marked:?}");
    }
}
