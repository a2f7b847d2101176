//! The function that gets the records.

use std::{fmt, sync::Arc};

use super::AttemptRecord;

/// A function that is called with each record.
#[derive(Clone)]
pub(in crate::client_credentials) struct Observer(Arc<dyn Fn(&AttemptRecord) + Send + Sync>);

impl Observer {
    pub(in crate::client_credentials) fn new(
        observe: impl Fn(&AttemptRecord) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn tell(&self, record: &AttemptRecord) {
        (self.0)(record);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
