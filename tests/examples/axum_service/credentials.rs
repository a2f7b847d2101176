//! The service's credentials in the environment.

use std::{env, fs};

use tower_oauth::{
    BoxError, ClientId, Secret, client_credentials::ClientCredentialsBuilder, provider::avista,
    testing::Bank,
};

#[path = "../../../examples/axum_service/credentials.rs"]
mod example;

/// What the service reads, if these variables are set.
fn read(variables: &[(&str, &str)]) -> Result<Option<(ClientId, Secret)>, BoxError> {
    let variable = |name: &str| {
        let mut set = variables.iter();
        let set = set.find(|(known, _)| *known == name);
        set.map(|(_, value)| value.to_string())
    };
    example::credentials("conta-simples", variable)
}

const ID: (&str, &str) = ("CONTA_SIMPLES_CLIENT_ID", "me");
const VALUE: (&str, &str) = ("CONTA_SIMPLES_CLIENT_SECRET", "c4n4ry-secret");
const FILE: (&str, &str) = ("CONTA_SIMPLES_CLIENT_SECRET_FILE", "/run/secrets/c");

#[test]
fn the_id_needs_one_secret() {
    assert!(read(&[]).unwrap().is_none());
    assert!(read(&[ID, VALUE]).unwrap().is_some());
    let (id, secret) = read(&[ID, FILE]).unwrap().unwrap();
    assert_eq!(id.as_str(), "me");
    assert!(format!("{secret:?}").contains("/run/secrets/c"));
    for wrong in [
        &[ID][..],
        &[VALUE],
        &[FILE],
        &[VALUE, FILE],
        &[ID, VALUE, FILE],
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert_eq!(
            error,
            "set CONTA_SIMPLES_CLIENT_ID, and one of CONTA_SIMPLES_CLIENT_SECRET and \
             CONTA_SIMPLES_CLIENT_SECRET_FILE"
        );
    }
}

#[tokio::test]
async fn a_secret_in_a_file_may_change() {
    let bank = Bank::avista().start().await.unwrap();
    let name = format!("tower-oauth-{}-axum-secret", std::process::id());
    let path = env::temp_dir().join(name);
    fs::write(&path, bank.client_secret()).unwrap();
    let variable = |name: &str| match name {
        "AVISTA_CLIENT_ID" => Some(bank.client_id().to_owned()),
        "AVISTA_CLIENT_SECRET_FILE" => Some(path.display().to_string()),
        _ => None,
    };
    let (id, secret) = example::credentials("avista", variable).unwrap().unwrap();
    let source = ClientCredentialsBuilder::new(avista::dialect(), id)
        .secret(secret)
        .token_url(bank.token_url())
        .build_reqwest(reqwest::Client::builder().tls_certs_only([]))
        .unwrap();
    let token = source.token().await.unwrap();
    fs::write(&path, "the second secret").unwrap();
    bank.set_secret("the second secret");
    source.invalidate(token.generation());
    source.token().await.unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(bank.counters().token_denials, 0);
    assert_eq!(bank.counters().tokens_issued, 2);
}
