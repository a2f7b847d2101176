//! Origins: what is printed is read as the same, and nothing looser.

use proptest::prelude::*;
use tower_oauth::Origin;

use crate::config;

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{2,8}){0,3}\\.?",
        any::<std::net::Ipv4Addr>().prop_map(|it| it.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|it| format!("[{it}]")),
    ]
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
}
