//! The names of an answer's members.

use super::expiry::ExpiryFormat;

/// The names of an answer's members, and the format of the expiry. The defaults follow RFC 6749 §5.1 and §5.2.
///
/// A name with dots is a path into nested objects, such as `data.token`, if the answer has no member of that whole
/// name.
///
/// # Examples
///
/// Start from the default, which a new dialect has, and set fields:
///
/// ```
/// use tower_oauth::client_credentials::{Dialect, ExpiryFormat};
///
/// let mut dialect = Dialect::new("bank", "https://login.example/token");
/// dialect.response.token = "accessToken".into();
/// dialect.response.expiry_format = ExpiryFormat::Milliseconds;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseFields {
    /// The member that holds the token. Default: `access_token`.
    pub token: String,
    /// The member that holds the expiry. Default: `expires_in`. If an answer lacks it, or its value cannot be read, the
    /// token's lifetime is [`Dialect::default_lifetime`](super::Dialect::default_lifetime).
    pub expiry: String,
    /// How the expiry is written. Default: [`ExpiryFormat::Auto`].
    pub expiry_format: ExpiryFormat,
    /// Further values that come with the token and that [`Dialect::headers`](super::Dialect::headers) use by their
    /// names, such as Serpro's `jwt_token`. An answer without one of them is an error. Default: none.
    pub extras: Vec<String>,
    /// The member that holds the code of an error, a string or a number. Default: `error`. An answer is an error if
    /// this member is there and not empty, whatever the status; `""`, `false`, `null`, `0`, `[]`, `{}` and `"null"`,
    /// `"false"`, `"0"` count as empty. Do not name a member that is filled in good answers too, such as `"code":
    /// "OK"`.
    pub error: String,
    /// The member that holds an error's text. Default: `error_description`.
    pub error_description: String,
    /// Other names for `token`, in the order in which they are tried. Default: none. Use them where environments differ
    /// (Serasa).
    pub other_token: Vec<String>,
    /// Other names for `expiry`, in the order in which they are tried. Default: none.
    pub other_expiry: Vec<String>,
    /// Whether a good answer has token, expiry and extras in its headers (Siscomex). Its body is then not read. The
    /// members of an error are in the body all the same. Default: `false`.
    pub in_headers: bool,
}

impl Default for ResponseFields {
    fn default() -> Self {
        Self {
            token: "access_token".into(),
            expiry: "expires_in".into(),
            expiry_format: ExpiryFormat::default(),
            extras: Vec::new(),
            error: "error".into(),
            error_description: "error_description".into(),
            other_token: Vec::new(),
            other_expiry: Vec::new(),
            in_headers: false,
        }
    }
}
