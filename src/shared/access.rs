//! One operation of the store: bounded, counted, and not tried while the store is left alone.

use tracing::debug;

use super::{
    layer::Core,
    store::{BOUND, Operation, StoreError},
};
use crate::{FailureClass, FetchError, FetchErrorKind, sharing::Access};

/// The store is down.
pub(super) struct Down {
    /// What it failed with, if it was tried.
    error: Option<StoreError>,
    /// What was tried has never worked in this process.
    never_worked: bool,
}

impl Core {
    pub(super) async fn try_store<'a, T>(
        &'a self,
        access: Access,
        operation: impl FnOnce(&'a Core) -> Operation<'a, T>,
    ) -> Result<T, Down> {
        let sharing = &self.parts.sharing;
        let down = |error| Down {
            error,
            never_worked: !sharing.has_worked(access),
        };
        if !self.breaker.permits(self.now()) {
            return Err(down(None));
        }
        let result = tokio::time::timeout(BOUND, operation(self)).await;
        match result.unwrap_or(Err(StoreError::TimedOut)) {
            Ok(done) => {
                self.breaker.succeeded();
                sharing.store_works(access);
                Ok(done)
            }
            Err(error) => {
                self.breaker.failed(self.now());
                sharing.store_failed();
                debug!(?error, "an operation of the shared store failed");
                Err(down(Some(error)))
            }
        }
    }
}

impl Down {
    pub(super) fn cause(&self) -> Option<&dyn std::fmt::Display> {
        self.error.as_ref().map(StoreError::cause)
    }

    /// Whether the configuration is wrong. An outage is not a mistake.
    pub(super) fn is_a_mistake(&self) -> bool {
        self.never_worked && matches!(self.error, Some(StoreError::AccessDenied(_)))
    }
}

impl From<Down> for FetchError {
    fn from(down: Down) -> Self {
        let is_a_mistake = down.is_a_mistake();
        let new = |class, message| Self::new(class, FetchErrorKind::Unavailable, message);
        match down.error {
            Some(StoreError::AccessDenied(source)) if is_a_mistake => new(
                FailureClass::Permanent,
                "the shared store denies access; check its user, password, permissions and database",
            )
            .with_source(source),
            Some(StoreError::AccessDenied(source) | StoreError::Failed(source)) => {
                new(FailureClass::Transient, "the shared store is down").with_source(source)
            }
            Some(StoreError::TimedOut) => {
                Self::timed_out("the shared store did not answer within 250 ms")
            }
            None => new(FailureClass::Transient, "the shared store is down"),
        }
    }
}
