//! What the Job of a rotation is told.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use userengine_api::key::Kid;
use userengine_api::layout::{INTERNAL_PORT, env};
use userengine_brain::ring::RingConfig;
use userengine_brain::rotation::Task;
use userengine_brain::store::{BrainConfig, BrainMode};
use userengine_rotation::gate::Order;
use userengine_rotation::request::{Mode, RotationId, RowName};

use super::{ConfigError, Environment, brain, ring};

/// The settings of `engine migrate` and `engine verify`.
#[derive(Debug)]
pub struct RotationConfig {
    /// Where the brain is and what it must be.
    pub brain: BrainConfig,
    /// Where the encryption keys come from.
    pub ring: RingConfig,
    /// Address of `/progress`.
    pub internal: SocketAddr,
    /// The rotation; `None` to verify by itself.
    pub task: Option<Task>,
}

const ID: &str = "1 to 63 characters of a-z A-Z 0-9 - _ .";
const KID: &str = "a key id, 16 lowercase hex digits";

impl RotationConfig {
    /// The ring alone.
    pub fn ring(environment: &Environment) -> Result<RingConfig, ConfigError> {
        ring::read(environment)
    }

    /// Reads the ring, the brain, `INTERNAL_ADDR`, and the variables of the rotation if `ROTATION_ID` is set.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let every_interface = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), INTERNAL_PORT);
        let address = "an address and a port, such as 0.0.0.0:9090 or [::1]:9090";
        Ok(Self {
            brain: BrainConfig {
                mode: BrainMode::Existing,
                ..brain::read(environment)?
            },
            ring: ring::read(environment)?,
            internal: environment.parsed(env::INTERNAL_ADDR, address, every_interface)?,
            task: match environment.text(env::ROTATION_ID)? {
                Some(id) => Some(task(environment, id)?),
                None => None,
            },
        })
    }
}

fn task(environment: &Environment, id: String) -> Result<Task, ConfigError> {
    let id = RotationId::try_from(id).map_err(|_| invalid(env::ROTATION_ID, ID))?;
    let from = required(environment, env::ROTATION_FROM)?;
    let to = required(environment, env::ROTATION_TO)?;
    let aside = environment.text(env::ROTATION_SET_ASIDE)?;
    Ok(Task {
        order: Order {
            id,
            from: list(&from)
                .map_err(|()| invalid(env::ROTATION_FROM, "key ids, joined by commas"))?,
            to: Kid::try_from(to).map_err(|_| invalid(env::ROTATION_TO, KID))?,
            opened: environment
                .text(env::ROTATION_OPENED)?
                .map(|text| text.parse())
                .transpose()
                .map_err(|_| invalid(env::ROTATION_OPENED, "Unix seconds"))?,
        },
        mode: match environment.text(env::ROTATION_MODE)?.as_deref() {
            None | Some("Normal") => Mode::Normal,
            Some("Compromised") => Mode::Compromised,
            Some(_) => return Err(invalid(env::ROTATION_MODE, "Normal or Compromised")),
        },
        set_aside: match aside.as_deref() {
            None | Some("") => BTreeSet::new(),
            Some(rows) => list::<RowName, BTreeSet<_>>(rows).map_err(|()| {
                invalid(
                    env::ROTATION_SET_ASIDE,
                    "<table>/<row id>, joined by commas",
                )
            })?,
        },
        image: image(environment)?,
        binary: String::new(),
    })
}

/// A certificate fits the kubelet's 4096 bytes, and so must the name of the image in it.
fn image(environment: &Environment) -> Result<String, ConfigError> {
    const MOST: usize = 512;
    let image = environment.text(env::ENGINE_IMAGE)?.unwrap_or_default();
    if image.len() > MOST {
        return Err(invalid(env::ENGINE_IMAGE, "at most 512 bytes"));
    }
    Ok(image)
}

fn list<T: TryFrom<String>, C: FromIterator<T>>(text: &str) -> Result<C, ()> {
    text.split(',')
        .map(|item| T::try_from(item.to_owned()).map_err(drop))
        .collect()
}

fn required(environment: &Environment, variable: &'static str) -> Result<String, ConfigError> {
    environment
        .text(variable)?
        .ok_or(ConfigError::Unset(variable))
}

fn invalid(variable: &'static str, expected: &'static str) -> ConfigError {
    ConfigError::Invalid { variable, expected }
}
