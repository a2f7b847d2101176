//! A client's id and secret, from the variables of the environment.

use tower_oauth::{BoxError, ClientId, ClientSecret, Secret};

/// From `CONTA_SIMPLES_CLIENT_ID`, and `CONTA_SIMPLES_CLIENT_SECRET` or `CONTA_SIMPLES_CLIENT_SECRET_FILE`, say. `None`
/// if no variable is set. The file is read again before each fetch.
pub(crate) fn credentials(
    bank: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(ClientId, Secret)>, BoxError> {
    let prefix = bank.to_uppercase().replace('-', "_");
    let [id, value, file] = ["CLIENT_ID", "CLIENT_SECRET", "CLIENT_SECRET_FILE"]
        .map(|name| variable(&format!("{prefix}_{name}")));
    match (id, value, file) {
        (Some(id), Some(value), None) => {
            Ok(Some((ClientId::new(id)?, ClientSecret::new(value).into())))
        }
        (Some(id), None, Some(file)) => Ok(Some((ClientId::new(id)?, Secret::from_file(file)))),
        (None, None, None) => Ok(None),
        _ => Err(format!(
            "set {prefix}_CLIENT_ID, and one of {prefix}_CLIENT_SECRET and {prefix}_CLIENT_SECRET_FILE"
        )
        .into()),
    }
}
