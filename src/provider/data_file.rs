//! A provider as its data file describes it.

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::catalogue::one_of;
use crate::{
    ClientId, ConfigError, ConfigErrorKind,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// How far the sources of a provider's facts can be trusted.
///
/// # Examples
///
/// ```
/// use tower_oauth::provider::{self, Confidence};
///
/// assert_eq!(provider::find("inter")?.confidence(), Confidence::Official);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Confidence {
    /// The provider's own documents or client say it.
    Official,
    /// Several independent clients agree; no document of the provider was read.
    SeveralClients,
    /// One client or one note says it. Check every setting against your contract.
    OneClient,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Official => "official",
            Self::SeveralClients => "several_clients",
            Self::OneClient => "one_client",
        })
    }
}

/// A provider: what its data file says. [`all`](super::all) and [`find`](super::find) return those of the crate;
/// [`from_toml`](Self::from_toml) reads your own.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientId, ClientSecret, provider};
///
/// let builder = provider::find("inter")?
///     .builder("sandbox", ClientId::new("0b1d")?)?
///     .secret(ClientSecret::new("shh"))
///     .scopes(["extrato.read"]);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Provider {
    pub(super) name: String,
    title: String,
    confidence: Confidence,
    documents: Vec<String>,
    environments: Vec<(String, Dialect)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataFile {
    name: String,
    title: String,
    confidence: Confidence,
    documents: Vec<String>,
    #[serde(default)]
    dialect: Table,
    environments: Table,
}

impl Provider {
    /// Reads a data file. The guide "Add a bank" describes its form.
    ///
    /// # Errors
    ///
    /// Names the key that is unknown, missing or contradicts another, with its line if the text is no such file.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::provider::Provider;
    ///
    /// let partner = Provider::from_toml(r#"
    ///     name = "partner"
    ///     title = "Our partner"
    ///     confidence = "official"
    ///     documents = ["https://docs.partner.example/auth"]
    ///
    ///     [dialect]
    ///     credentials = "basic_raw"
    ///
    ///     [environments.production]
    ///     token_url = "https://login.partner.example/token"
    ///     origins = ["https://api.partner.example"]
    /// "#)?;
    /// assert_eq!(partner.environments().collect::<Vec<_>>(), ["production"]);
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file: DataFile = toml::from_str(text).map_err(|error| {
            let before = error
                .span()
                .map_or("", |span| &text[..span.start.min(text.len())]);
            let line = 1 + before.matches('\n').count();
            ConfigError::new("data file", format!("line {line}: {}", error.message()))
                .with_kind(ConfigErrorKind::Unreadable)
        })?;
        let name = file.name.clone();
        Self::from_file(file).map_err(|error| error.of(&name))
    }

    fn from_file(file: DataFile) -> Result<Self, ConfigError> {
        // First alone, so that an error names the right table.
        read(&file.name, file.dialect.clone(), "dialect")?;
        let environments = file.environments.into_iter();
        let environments = environments
            .map(|(environment, own)| {
                let dialect = dialect(&file.name, &environment, &file.dialect, own)?;
                Ok((environment, dialect))
            })
            .collect::<Result<Vec<_>, ConfigError>>()?;
        if environments.is_empty() {
            let rule = "must name at least one, such as `[environments.production]`";
            return Err(ConfigError::new("environments", rule));
        }
        Ok(Self {
            name: file.name,
            title: file.title,
            confidence: file.confidence,
            documents: file.documents,
            environments,
        })
    }

    /// Returns the name, such as `banco-do-brasil`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name as people read it, such as `Banco do Brasil`.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns how far the sources can be trusted.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// Returns the addresses of the documents and clients that the facts come from.
    pub fn documents(&self) -> &[String] {
        &self.documents
    }

    /// Returns the names of the environments, such as `production` and `sandbox`.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        self.environments.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the dialect of an environment.
    ///
    /// If no public document names the token endpoint, `token_url` is empty: set it, or the build fails and says so.
    ///
    /// # Errors
    ///
    /// If there is no such environment. The error has the nearest name, and all there are.
    pub fn dialect(&self, environment: &str) -> Result<Dialect, ConfigError> {
        let mut known = self.environments.iter();
        match known.find(|(name, _)| name == environment) {
            Some((_, dialect)) => Ok(dialect.clone()),
            None => {
                let names: Vec<_> = self.environments().collect();
                let rule = one_of("environment", environment, &names);
                Err(ConfigError::new("environment", rule).of(&self.name))
            }
        }
    }

    /// Begins a token source for an environment. Add the secret, where there is one, and scopes.
    ///
    /// # Errors
    ///
    /// As [`dialect`](Self::dialect).
    pub fn builder(
        &self,
        environment: &str,
        id: ClientId,
    ) -> Result<ClientCredentialsBuilder, ConfigError> {
        let dialect = self.dialect(environment)?;
        Ok(ClientCredentialsBuilder::new(dialect, id))
    }
}

/// What the environments share, with what one has of its own.
fn dialect(
    name: &str,
    environment: &str,
    shared: &Table,
    own: Value,
) -> Result<Dialect, ConfigError> {
    let place = format!("environments.{environment}");
    let Value::Table(own) = own else {
        let rule = "must be a table with `token_url` and `origins`";
        return Err(ConfigError::new(place, rule));
    };
    let mut merged = shared.clone();
    merged.extend(own);
    let dialect = read(name, merged, &place)?;
    let mut checked = dialect.clone();
    if checked.token_url.is_empty() {
        // Only the address is missing, and the rest can be checked.
        checked.token_url = "https://login.example/token".into();
    }
    checked.check().map_err(|error| error.within(&place))?;
    Ok(dialect)
}

/// Without `token_url`, it is empty.
fn read(name: &str, mut table: Table, place: &str) -> Result<Dialect, ConfigError> {
    table.insert("name".into(), name.into());
    table.entry("token_url").or_insert("".into());
    Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| {
            // With the key, which the message alone lacks.
            let rule = error.to_string().trim().replace('\n', " ");
            ConfigError::new(place.to_owned(), rule)
        })
}
