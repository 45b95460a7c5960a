//! What the API server lets the operator do, by the rules of its roles.

use userengine_e2e::attempts::account;
use userengine_e2e::may;

#[tokio::test]
async fn the_operator_may_do_what_it_does_and_little_else() -> anyhow::Result<()> {
    let client = userengine_e2e::client().await?;
    for what in [
        ("get", "", "secrets"),
        ("create", "", "persistentvolumeclaims"),
        ("create", "batch", "jobs"),
        ("delete", "", "pods"),
        ("list", "", "events"),
        ("patch", "userengine.dev", "userengines/status"),
    ] {
        assert!(
            may(&client, &account(), "default", what).await?,
            "may not {what:?}: the question is wrong"
        );
    }
    for what in [
        ("list", "", "secrets"),
        ("watch", "", "secrets"),
        ("deletecollection", "", "secrets"),
        ("get", "", "pods/log"),
        ("create", "", "pods/exec"),
        ("create", "", "pods"),
        ("deletecollection", "", "pods"),
        ("get", "", "nodes"),
        ("watch", "", "events"),
        ("update", "", "resourcequotas"),
        ("patch", "batch", "jobs"),
        ("update", "batch", "jobs"),
        ("delete", "", "namespaces"),
        ("create", "rbac.authorization.k8s.io", "rolebindings"),
        ("create", "", "serviceaccounts/token"),
        ("update", "userengine.dev", "userengines"),
        ("delete", "userengine.dev", "userengines"),
        ("patch", "userengine.dev", "engineclasses"),
        ("impersonate", "", "users"),
    ] {
        assert!(
            !may(&client, &account(), "default", what).await?,
            "may {what:?}"
        );
    }
    Ok(())
}
