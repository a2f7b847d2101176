//! Encodes the credentials. Every buffer that holds one is allocated once, in full, and zeroized.

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::Client;
use crate::{client_credentials::dialect::CredentialPlacement, form::form_urlencoded};

/// The value after `Basic ` in the header, if the dialect uses Basic.
pub(super) fn basic(placement: &CredentialPlacement, client: &Client) -> Option<Zeroizing<String>> {
    let (id, secret) = (client.id.as_str(), client.secret());
    match placement {
        CredentialPlacement::BasicRaw => Some(base64_pair(id, secret)),
        CredentialPlacement::BasicEncoded => {
            Some(base64_pair(&form_urlencoded(id), &form_urlencoded(secret)))
        }
        CredentialPlacement::Body { .. }
        | CredentialPlacement::IdOnly { .. }
        | CredentialPlacement::Headers { .. } => None,
    }
}

fn base64_pair(id: &str, secret: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new([id, ":", secret].concat());
    Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()))
}

/// Base64 as it was sent, and in the other alphabet, each with its padding and without.
pub(super) fn base64_variants(sent: &Zeroizing<String>) -> [Zeroizing<String>; 4] {
    let mut url_safe = Zeroizing::new(String::with_capacity(sent.len()));
    url_safe.extend(sent.chars().map(|digit| match digit {
        '+' => '-',
        '/' => '_',
        same => same,
    }));
    let without_padding = |text: &str| Zeroizing::new(text.trim_end_matches('=').to_owned());
    [
        without_padding(sent),
        without_padding(&url_safe),
        url_safe,
        sent.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientId, ClientSecret};

    fn decoded(placement: &CredentialPlacement, id: &str, secret: &str) -> String {
        let client = Client {
            id: ClientId::new(id).unwrap(),
            secret: Some(ClientSecret::new(secret)),
            scopes: Vec::new(),
        };
        let bytes = BASE64_STANDARD.decode(&*basic(placement, &client).unwrap());
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    #[test]
    fn unsafe_characters_by_both_rules() {
        let (id, secret) = ("i%d+ü &", ":s%e+c ü&");
        assert_eq!(
            decoded(&CredentialPlacement::BasicRaw, id, secret),
            "i%d+ü &::s%e+c ü&"
        );
        assert_eq!(
            decoded(&CredentialPlacement::BasicEncoded, id, secret),
            "i%25d%2B%C3%BC%20%26:%3As%25e%2Bc%20%C3%BC%26"
        );
        assert_eq!(
            decoded(&CredentialPlacement::BasicEncoded, "a:b", "*-._~"),
            "a%3Ab:*-._%7E"
        );
    }
}
