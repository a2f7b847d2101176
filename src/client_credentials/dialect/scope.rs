//! How a token request names scopes.

use serde::{Deserialize, Serialize};

/// How a token request names scopes. The default follows RFC 6749 §3.3: a field `scope`, joined by spaces, not
/// required.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeRule {
    /// The field's name. Default: `scope`.
    pub field: String,
    /// How several scopes are written. Default: [`ScopeFormat::SpaceJoined`].
    pub format: ScopeFormat,
    /// Whether the client must name at least one scope. Default: `false`.
    pub required: bool,
    /// The highest number of scopes. Set 0 where the token request has no place for scopes: naming one is then an error
    /// when the source is built, and not a denial of the bank. Default: any number.
    pub most: Option<usize>,
}

impl ScopeRule {
    /// Returns the rule of a token request that has no place for scopes. Asking for one is an error when built.
    ///
    /// For any other rule, start from [`ScopeRule::default`] and set fields:
    ///
    /// ```
    /// use tower_oauth::client_credentials::{Dialect, ScopeRule};
    ///
    /// let mut dialect = Dialect::new("bank", "https://login.example/token");
    /// dialect.scope = ScopeRule::none();
    ///
    /// let mut dialect = Dialect::new("other-bank", "https://login.example/token");
    /// dialect.scope.field = "scopes".into();
    /// dialect.scope.required = true;
    /// ```
    pub fn none() -> Self {
        Self {
            most: Some(0),
            ..Self::default()
        }
    }
}

impl Default for ScopeRule {
    fn default() -> Self {
        Self {
            field: "scope".into(),
            format: ScopeFormat::default(),
            required: false,
            most: None,
        }
    }
}

/// How several scopes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeFormat {
    /// One string, joined by single spaces.
    #[default]
    SpaceJoined,
    /// One string, joined by commas (Cielo's QR Code).
    CommaJoined,
    /// An array of strings, in a JSON body.
    JsonArray,
}
