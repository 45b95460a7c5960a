//! What people get with the cluster's own roles.

use k8s_openapi::api::rbac::v1::{ClusterRole, RoleBinding};
use kube::Api;
use serde_json::json;
use userengine_e2e::{eventually, in_namespace, may};

#[tokio::test]
async fn who_may_view_or_edit_a_namespace_may_view_or_edit_its_engines() -> anyhow::Result<()> {
    in_namespace("roles", |namespace| async move {
        let (look, change) = (["get", "list", "watch"], ["create", "update", "patch", "delete"]);
        for (role, changes) in [("view", false), ("edit", true), ("admin", true)] {
            let user = format!("{role}er-{}", namespace.name);
            let binding = json!({
                "metadata": { "name": role },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
            });
            namespace.create_object::<RoleBinding>(binding).await?;
            let may = async |verb: &str, resource: &str| {
                let (client, here) = (&namespace.client, &namespace.name);
                may(client, &user, here, (verb, "userengine.dev", resource)).await
            };
            eventually("the binding to be in force", 30, || async {
                Ok(may("get", "userengines").await?.then_some(()))
            })
            .await?;
            for verb in look {
                assert!(may(verb, "userengines").await?, "{role} may not {verb}");
            }
            for verb in change {
                assert_eq!(may(verb, "userengines").await?, changes, "{role}: {verb}");
            }
            assert!(!may("patch", "userengines/status").await?, "{role}: status");
            assert!(!may("create", "engineclasses").await?, "{role}: classes");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn none_of_the_clusters_own_roles_but_its_admins_changes_a_class() -> anyhow::Result<()> {
    let roles: Api<ClusterRole> = Api::all(userengine_e2e::client().await?);
    for name in ["view", "edit", "admin"] {
        let role = roles.get(name).await?;
        let of_classes = role.rules.iter().flatten().filter(|rule| {
            let resources = rule.resources.iter().flatten();
            resources
                .into_iter()
                .any(|it| it == "engineclasses" || it == "*")
        });
        let verbs: Vec<_> = of_classes.flat_map(|rule| &rule.verbs).collect();
        assert_eq!(verbs, ["get", "list", "watch"], "{name}");
    }
    Ok(())
}
