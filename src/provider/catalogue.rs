//! The providers by name: their data files, each read at first use.

use std::sync::LazyLock;

use super::{Provider, nearest::nearest};
use crate::ConfigError;

macro_rules! data_files {
    ($($name:literal)*) => {
        pub(super) const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("data/", $name, ".toml")))),*];
    };
}

// In the order of `all()`. A test compares it with the folder.
data_files! {
    "ailos-pix"
    "anbima"
    "avista"
    "b3"
    "banco-do-brasil"
    "bankly"
    "banrisul"
    "banrisul-boleto"
    "bradesco"
    "bradesco-pix"
    "braspag"
    "bs2"
    "btg"
    "c6"
    "caixa"
    "celcoin"
    "celcoin-credito"
    "cerc"
    "cielo-3ds"
    "cielo-conecta"
    "cielo-link"
    "cielo-pix"
    "cielo-pix-cancelamento"
    "cielo-qrcode"
    "conecta"
    "conta-simples"
    "cora"
    "correios"
    "dock"
    "efi-cobrancas"
    "efi-pix"
    "getnet"
    "getnet-global"
    "inter"
    "itau"
    "itau-jwt"
    "matera"
    "mercado-pago"
    "open-finance-brasil"
    "open-finance-brasil-jwt"
    "pagbank-pix"
    "pluggy"
    "rede"
    "safra"
    "sankhya"
    "santander-boleto"
    "santander-pix"
    "serasa"
    "serpro-gateway"
    "serpro-integra-contador"
    "sicoob"
    "sicredi-boleto"
    "sicredi-pix"
    "siscomex"
    "stone"
    "totvs"
    "transfeera"
    "unicred"
}

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    let read = |(_, text): &(&str, &str)| Provider::from_toml(text);
    // A test reads every file, so that none is left out here.
    FILES.iter().filter_map(|file| read(file).ok()).collect()
});

/// Returns every provider that the crate knows, by name.
///
/// # Examples
///
/// ```
/// let names: Vec<_> = tower_oauth::provider::all().iter().map(|it| it.name()).collect();
/// assert!(names.contains(&"inter"));
/// ```
pub fn all() -> &'static [Provider] {
    &PROVIDERS
}

/// Finds a provider by its name.
///
/// # Errors
///
/// If there is none of that name. The error has the nearest name, and all there are.
///
/// # Examples
///
/// ```
/// use tower_oauth::provider;
///
/// assert_eq!(provider::find("inter")?.title(), "Banco Inter");
///
/// let error = provider::find("sicob").unwrap_err();
/// assert!(error.to_string().contains("did you mean `sicoob`?"));
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
pub fn find(name: &str) -> Result<&'static Provider, ConfigError> {
    let mut known = all().iter();
    known.find(|it| it.name == name).ok_or_else(|| {
        let names: Vec<_> = all().iter().map(Provider::name).collect();
        ConfigError::new("provider", one_of("provider", name, &names))
    })
}

/// The rule that a name broke. It does not quote the name, which may be a secret in the wrong place.
pub(super) fn one_of(what: &str, name: &str, known: &[&str]) -> String {
    let hint = nearest(name, known).map(|it| format!("did you mean `{it}`? "));
    let hint = hint.unwrap_or_default();
    format!("there is no such {what}; {hint}Known: {}", known.join(", "))
}
