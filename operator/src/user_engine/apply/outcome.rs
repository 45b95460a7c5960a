//! What came of the steps of a plan, and what there is to tell of one that failed.

use userengine_api::condition::{ConditionType, Reason};

use super::{Error, Outcome};
use crate::cluster::WriteError;
use crate::cluster::ownership::Ownership;
use crate::user_engine::assess::{Finding, quoted, said_before};
use crate::user_engine::growth::{Growth, Refused};
use crate::user_engine::observed::Observed;
use crate::user_engine::plan::Step;

impl Error {
    /// What to say of it if it lasts; `None` if the API server gave no words for it.
    pub fn trouble(&self, observed: &Observed) -> Option<Finding> {
        let message = match self {
            Self::Write(WriteError::Failed { kind, name, source }) => {
                let kube::Error::Api(said) = source.as_ref() else {
                    return None;
                };
                let before = said_before(observed, ConditionType::Ready);
                let own = format!("{kind} '{name}' cannot be written, which is tried again");
                quoted(before, &own, &said.message)
            }
            Self::Write(WriteError::Raced { kind, name }) => format!(
                "{kind} '{name}' cannot be written, which is tried again: one of that name is there that is not this engine's, or somebody changes it all the time"
            ),
            _ => return None,
        };
        Some(Finding::blocked(Reason::ChildRefused, message))
    }
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Applied {
    /// What stood in the way, if anything: the steps after it were left out.
    pub trouble: Option<Finding>,
    /// The growth of the volume, if it was asked for and refused: the engine goes on without.
    pub refused_growth: Option<Refused>,
    /// What failed first, if anything, and is worth another try.
    pub error: Option<Error>,
    /// A rotation of the API key went a step further.
    pub turned: bool,
}

impl Applied {
    /// Nothing was in the way of any step.
    pub fn is_whole(&self) -> bool {
        self.trouble.is_none() && self.error.is_none()
    }

    /// Takes what came of a step that was urgent. What was in the way first is told first.
    pub(super) fn take_urgent(&mut self, step: &Step, outcome: Result<Outcome, Error>) {
        match outcome {
            Ok(_) => self.turned |= matches!(step, Step::TurnApiKey(_)),
            Err(Error::Write(WriteError::Refused { .. })) if self.trouble.is_some() => {}
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }

    /// Remembers what stood in the way of a step; an error that another try may mend is given back.
    pub(super) fn take(
        &mut self,
        observed: &Observed,
        step: &Step,
        outcome: Result<Outcome, Error>,
    ) -> Result<(), Error> {
        match outcome {
            Ok(Outcome::Done) => self.turned |= matches!(step, Step::TurnApiKey(_)),
            Ok(Outcome::InTheWay(finding)) => self.trouble = Some(finding),
            Err(Error::Write(WriteError::Refused {
                kind,
                name,
                message,
            })) => {
                if let Step::GrowClaim { growth, .. } = step {
                    self.refused_growth = Some(refused(observed, growth, &name, &message));
                    return Ok(());
                }
                let before = said_before(observed, ConditionType::Ready);
                let own = format!("the API server refused {kind} '{name}'");
                let message = quoted(before, &own, &message);
                self.trouble = Some(Finding::blocked(Reason::ChildRefused, message));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn refused(observed: &Observed, growth: &Growth, name: &str, said: &str) -> Refused {
    let own = format!("'{name}' stays as large as it is");
    let before = said_before(observed, ConditionType::StorageReady);
    Refused {
        growth: growth.clone(),
        message: quoted(before, &own, said),
        at: observed.now,
    }
}

/// What to tell of an object that is not this engine's.
pub(super) fn in_the_way(ownership: Ownership, kind: &str, name: &str) -> Finding {
    match ownership {
        Ownership::Former => Finding::waiting(
            Reason::Waiting,
            format!(
                "waiting for {kind} '{name}' of the former engine of this name to be collected"
            ),
        ),
        _ => Finding::blocked(
            Reason::ChildNotOurs,
            format!(
                "{kind} '{name}' exists and does not belong to this UserEngine; it is left alone: delete or rename it, or give this engine another name"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;
    use crate::user_engine::fixtures::{World, world};

    fn failed(source: kube::Error) -> Error {
        Error::Write(WriteError::Failed {
            kind: "Service",
            name: "alice".to_owned(),
            source: Box::new(source),
        })
    }

    #[test]
    fn what_the_api_server_says_of_a_failure_is_told_and_what_nobody_says_is_not() {
        let World(observed) = world().claimed();
        let status = Status::failure("range is full", "InternalError").with_code(500);
        let told = failed(kube::Error::Api(status.boxed())).trouble(&observed);
        let told = told.unwrap();
        assert_eq!(told.reason, Reason::ChildRefused);
        assert!(told.message.contains("Service 'alice'") && told.message.contains("range is full"));
        let silent = failed(kube::Error::TlsRequired).trouble(&observed);
        assert!(silent.is_none(), "{silent:?}");
        let raced = Error::Write(WriteError::Raced {
            kind: "Job",
            name: "alice-rotate-0-1".to_owned(),
        });
        let told = raced.trouble(&observed).unwrap();
        assert!(told.message.contains("Job 'alice-rotate-0-1'"), "{told:?}");
    }
}
