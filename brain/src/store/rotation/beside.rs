//! Reading a brain beside whoever has it, and without a trace.

use std::path::Path;

use sqlx::{ConnectOptions, Executor};

use super::Reading;
use super::reading::Kept;
use crate::store::examine::{check_owner, check_structure};
use crate::store::lock::BrainLock;
use crate::store::paths::BrainPaths;
use crate::store::private_copy::{PLACES, PrivateCopy};
use crate::store::{BrainConfig, OpenError, connect};

impl Reading {
    /// A brain with nothing in its log, while nobody has it open. `None` if that is not so.
    pub async fn of_quiet(brain: &Path) -> Result<Option<Self>, OpenError> {
        let paths = BrainPaths::new(brain);
        let Some(lock) = BrainLock::take_existing(&paths.lock)? else {
            return Ok(None);
        };
        let found = paths.look()?;
        if !found.brain || found.unfinished {
            return Ok(None);
        }
        let connection = connect::immutable(brain).await?;
        Ok(Some(Self::resting_on(connection, Kept::Lock(lock))))
    }

    /// One snapshot of a brain, beside a running engine or a Job, or of what a killed one left. Nothing on the volume is
    /// changed; the brain is ours and whole.
    pub async fn beside(config: &BrainConfig) -> Result<Self, OpenError> {
        let paths = BrainPaths::new(&config.path);
        if !paths.look()?.brain {
            return Err(OpenError::Missing("is this the right path?"));
        }
        let mut reading = match BrainLock::take_existing(&paths.lock) {
            Err(OpenError::Locked) => Self::of_living(&paths.brain).await?,
            Err(error) => return Err(error),
            Ok(lock) => {
                let kept = lock.map_or(Kept::Nothing, Kept::Lock);
                Self::of_stopped(&paths, kept).await?
            }
        };
        check_owner(reading.brain(), config.database_id.as_ref()).await?;
        check_structure(reading.brain()).await?;
        Ok(reading)
    }

    /// The engine goes on writing; what is read stays as it was when the reading began.
    async fn of_living(brain: &Path) -> Result<Self, OpenError> {
        let begun = async {
            let options = connect::options(brain).read_only(true);
            let mut connection = options.connect().await?;
            connection.execute("BEGIN").await?;
            Ok(connection)
        };
        begun
            .await
            .map(Self::new)
            .map_err(|error| OpenError::sqlite("read the brain", error))
    }

    async fn of_stopped(paths: &BrainPaths, kept: Kept) -> Result<Self, OpenError> {
        if !paths.look()?.unfinished {
            let connection = connect::immutable(&paths.brain).await?;
            return Ok(Self::resting_on(connection, kept));
        }
        let copy = PrivateCopy::of(&paths.brain, &PLACES)
            .map_err(|error| OpenError::storage("copy the brain, whose log is not empty", error))?;
        let connection = connect::to_copy(&copy.brain()).await?;
        Ok(Self::resting_on(connection, Kept::Copy(copy)))
    }
}
