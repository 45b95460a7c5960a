//! Whether what an engine asks for itself is within the bounds that its class sets.

use userengine_api::UserEngineSpec;
use userengine_api::condition::Reason;
use userengine_api::engine_class::{Amounts, EngineClassSpec, Resources, allows};
use userengine_api::quantity::Quantity;
use userengine_api::user_engine::{AmountsOverride, ResourcesOverride};

/// How many names a message lists: it is for a person, and the API server bounds it.
const LISTED: usize = 8;

/// Something that an engine asks for and its class does not allow.
#[derive(Debug)]
pub struct Outside {
    /// What kind of thing.
    pub reason: Reason,
    /// What is asked for, and the bound.
    pub message: String,
}

/// What the class says, with what the engine has otherwise; or the first thing that it may not have.
pub fn within(
    asked: &UserEngineSpec,
    name: &str,
    class: &EngineClassSpec,
) -> Result<EngineClassSpec, Outside> {
    let class_name = format!("EngineClass '{name}'");
    let image = image(asked, &class_name, class)?;
    let resources = match &asked.resources {
        Some(asked) => resources(asked, &class_name, class)?,
        None => class.resources.clone(),
    };
    environment(asked, &class_name, class)?;
    Ok(EngineClassSpec {
        image,
        resources,
        ..class.clone()
    })
}

fn image(asked: &UserEngineSpec, name: &str, class: &EngineClassSpec) -> Result<String, Outside> {
    let Some(image) = &asked.image else {
        return Ok(class.image.clone());
    };
    let is_allowed =
        *image == class.image || class.allowed_images.iter().any(|it| allows(it, image));
    if is_allowed {
        return Ok(image.clone());
    }
    let all = std::iter::once(&class.image).chain(&class.allowed_images);
    Err(Outside {
        reason: Reason::ImageNotAllowed,
        message: format!(
            "spec.image '{image}' is none that {name} allows ({})",
            listed(all)
        ),
    })
}

fn resources(
    asked: &ResourcesOverride,
    name: &str,
    class: &EngineClassSpec,
) -> Result<Resources, Outside> {
    let all = Resources {
        requests: amounts(&asked.requests, &class.resources.requests),
        limits: amounts(&asked.limits, &class.resources.limits),
    };
    let most = class
        .max_resources
        .as_ref()
        .unwrap_or(&class.resources.limits);
    let (requests, limits) = (&all.requests, &all.limits);
    for (resource, limit, most) in [
        ("cpu", &limits.cpu, &most.cpu),
        ("memory", &limits.memory, &most.memory),
    ] {
        let bound = || format!("{most} that {name} allows");
        at_most(&format!("limits.{resource}"), limit, most, bound)?;
    }
    // Each of the two may be the class's, so no schema can compare them.
    for (resource, request, limit) in [
        ("cpu", &requests.cpu, &limits.cpu),
        ("memory", &requests.memory, &limits.memory),
    ] {
        let bound = || {
            format!("limit of {limit} that it comes with (of spec.resources, or else of {name})")
        };
        at_most(&format!("requests.{resource}"), request, limit, bound)?;
    }
    Ok(all)
}

fn amounts(asked: &AmountsOverride, class: &Amounts) -> Amounts {
    let or = |asked: &Option<String>, class: &String| asked.as_ref().unwrap_or(class).clone();
    Amounts {
        cpu: or(&asked.cpu, &class.cpu),
        memory: or(&asked.memory, &class.memory),
    }
}

fn at_most(
    field: &str,
    amount: &str,
    most: &str,
    bound: impl Fn() -> String,
) -> Result<(), Outside> {
    let outside = |message| Outside {
        reason: Reason::ResourcesOutOfBounds,
        message,
    };
    let parse = |text: &str| {
        let parsed = text.parse::<Quantity>();
        parsed.map_err(|error| outside(format!("spec.resources.{field}: {error}")))
    };
    if parse(amount)? <= parse(most)? {
        return Ok(());
    }
    let message = format!(
        "spec.resources.{field} {amount} is more than the {}",
        bound()
    );
    Err(outside(message))
}

fn environment(asked: &UserEngineSpec, name: &str, class: &EngineClassSpec) -> Result<(), Outside> {
    let refused = |what: String, allowed: &[String]| Outside {
        reason: Reason::EnvNotAllowed,
        message: format!("{what} is none that {name} allows ({})", listed(allowed)),
    };
    let unknown = asked.env.iter().map(|variable| &variable.name);
    if let Some(variable) = unknown
        .into_iter()
        .find(|it| !class.allowed_env.contains(it))
    {
        return Err(refused(
            format!("spec.env '{variable}'"),
            &class.allowed_env,
        ));
    }
    let allowed = &class.allowed_env_from;
    for source in &asked.env_from {
        for (kind, source, allowed) in [
            ("Secret", &source.secret_ref, &allowed.secret_names),
            (
                "ConfigMap",
                &source.config_map_ref,
                &allowed.config_map_names,
            ),
        ] {
            let Some(source) = source.as_ref().filter(|it| !allowed.contains(&it.name)) else {
                continue;
            };
            let what = format!("{kind} '{}' of spec.envFrom", source.name);
            return Err(refused(what, allowed));
        }
    }
    Ok(())
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let mut names = names.into_iter();
    let first: Vec<_> = names.by_ref().take(LISTED).map(String::as_str).collect();
    match (first.is_empty(), names.count()) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}
