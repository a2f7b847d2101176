//! How moments are written in errors and logs.

use std::time::SystemTime;

/// To the second, in UTC.
pub(super) fn moment(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| "a distant day".into(), |at| format!("{at:.0}"))
}
