//! Origins: what is printed is read as the same, nothing looser is, and what is permitted is what is dialled.

use http::{
    Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};
use proptest::prelude::*;
use reqwest::Url;
use tower::service_fn;
use tower_oauth::{BoxError, Origin, Token, TokenRequest, TokenSource};

use crate::config;

fn hosts() -> impl Strategy<Value = String> {
    let hosts = prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{2,8}){0,3}\\.?",
        any::<std::net::Ipv4Addr>().prop_map(|it| it.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|it| format!("[{it}]")),
    ];
    // A host that ends in a number is an address or none.
    hosts.prop_filter("a number", |host| {
        let last = host.trim_end_matches('.').rsplit('.').next().unwrap();
        let is_number = last.bytes().all(|it| it.is_ascii_digit()) || last.starts_with("0x");
        !is_number || host.parse::<std::net::Ipv4Addr>().is_ok()
    })
}

/// A source with a token that is never asked for.
fn source(origin: Option<&str>) -> TokenSource {
    let fetcher = service_fn(async |_: TokenRequest| Ok::<_, BoxError>(Token::new("never")));
    let builder = TokenSource::builder(fetcher);
    let builder = origin
        .into_iter()
        .fold(builder, |it, origin| it.origin(origin));
    builder.build().unwrap()
}

/// Most begin with the origin that is permitted, and try to get away from it.
fn authorities() -> impl Strategy<Value = String> {
    let hosts = prop_oneof![
        4 => Just("api.example".to_owned()),
        1 => "[aA]pi\\.example[.:@]?",
        1 => "[0-9a-fx.]{1,12}",
        1 => "[a-z0-9.:@%!$&'()+,;=~_\\[\\]-]{1,16}",
    ];
    (hosts, "(:[0-9]{0,5})?").prop_map(|(host, port)| host + &port)
}

fn by_parts(secure: bool, authority: &str, path: &str) -> Option<Uri> {
    let mut parts = Parts::default();
    parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(Authority::try_from(authority).ok()?);
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// The same text, some of its letters in the other case.
fn shouted(text: &str, which: &[bool]) -> String {
    let upper = |(letter, upper): (char, &bool)| match upper {
        true => letter.to_ascii_uppercase(),
        false => letter,
    };
    text.chars().zip(which.iter().cycle()).map(upper).collect()
}

fn parsed(text: &str) -> Origin {
    text.parse().unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_origin_has_one_form(
        secure in any::<bool>(),
        host in hosts(),
        port in prop::option::of(1..=u16::MAX),
        slash in "/?",
        which in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let (scheme, own_port) = if secure { ("https", 443) } else { ("http", 80) };
        let port_text = port.map_or(String::new(), |port| format!(":{port}"));
        let text = format!("{scheme}://{host}{port_text}{slash}");
        let origin = parsed(&shouted(&text, &which));

        let shown_port = port.filter(|port| *port != own_port);
        let shown_port = shown_port.map_or(String::new(), |port| format!(":{port}"));
        assert_eq!(origin.to_string(), format!("{scheme}://{host}{shown_port}"));
        assert_eq!(parsed(&origin.to_string()), origin);
        assert_eq!(origin.is_secure(), secure || origin.is_loopback());
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin(
        host in hosts(), other in hosts(), port in 1..u16::MAX
    ) {
        let origin = parsed(&format!("https://{host}:{port}"));
        assert_ne!(origin, parsed(&format!("http://{host}:{port}")));
        assert_ne!(origin, parsed(&format!("https://{host}:{}", port + 1)));
        prop_assume!(host != other);
        assert_ne!(origin, parsed(&format!("https://{other}:{port}")));
    }

    #[test]
    fn whatever_is_taken_for_an_origin_is_printed_as_one(text in "(https?://)?\\PC{0,40}") {
        if let Ok(origin) = text.parse::<Origin>() {
            let shown = origin.to_string();
            assert_eq!(parsed(&shown), origin);
            assert!(!text.contains('@') && shown.is_ascii());
            assert!(shown.len() <= text.len());
        }
    }

    #[test]
    fn an_origin_holds_nothing_else(
        host in hosts(), user in "[a-z]{1,5}(:[a-z]{0,5})?", path in "[a-z]{1,9}"
    ) {
        for text in [
            format!("https://{user}@{host}"),
            format!("https://{host}/{path}"),
            format!("https://{host}?{path}"),
            format!("https://{host}:0"),
            format!("https://{host}:{}", 65_536),
            format!("ftp://{host}"),
            host.clone(),
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    /// Two parsers and one value: whatever may have the token leads to the same place once `reqwest` reads its text.
    #[test]
    fn what_is_permitted_is_what_is_dialled(
        secure in any::<bool>(),
        authority in authorities(),
        path in "[/*?@:.\\\\a-z]{0,2}[a-z@.:/?*\\\\]{0,12}",
        named in any::<bool>(),
    ) {
        let source = source(named.then_some("https://api.example"));
        let uri = by_parts(secure, &authority, &path);
        if let Some(uri) = uri.filter(|uri| source.permits(uri).is_ok()) {
            // What `url` rejects is not dialled.
            if let Ok(url) = Url::parse(&uri.to_string()) {
                let dialled: Origin = url.origin().ascii_serialization().parse().unwrap();
                assert!(dialled.is_secure(), "{uri}");
                assert!(!named || dialled.to_string() == "https://api.example", "{uri}");
                // An IPv6 address may be spelled anew.
                let asked = Origin::of(&uri).unwrap();
                assert!(dialled == asked || authority.starts_with('['), "{uri}");
            }
        }
    }
}
