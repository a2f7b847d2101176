//! A token request as a strict server reads it, by other libraries than the ones it was written with.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use tinyjson::JsonValue;

/// A body's fields: one value, or in JSON an array of them.
pub type Decoded = BTreeMap<String, Vec<String>>;

pub fn decode_form(body: &[u8]) -> Decoded {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"*-._%=&".contains(byte);
    assert!(body.iter().all(plain), "unescaped bytes in {body:?}");
    let mut fields = Decoded::new();
    for (name, value) in form_urlencoded::parse(body) {
        let known = fields.insert(name.into_owned(), vec![value.into_owned()]);
        assert!(known.is_none(), "a field is there twice");
    }
    fields
}

pub fn decode_json(body: &[u8]) -> Decoded {
    let json: JsonValue = std::str::from_utf8(body).unwrap().parse().unwrap();
    let JsonValue::Object(members) = json else {
        panic!("the body is no object");
    };
    members
        .into_iter()
        .map(|(name, value)| (name, texts(value)))
        .collect()
}

fn texts(value: JsonValue) -> Vec<String> {
    match value {
        JsonValue::String(text) => vec![text],
        JsonValue::Array(values) => values.into_iter().flat_map(texts).collect(),
        other => panic!("{other:?} is no text"),
    }
}

/// The id and the secret of an `Authorization: Basic`.
pub fn decode_basic(header: &str, form_urlencoded: bool) -> (String, String) {
    let pair = header.strip_prefix("Basic ").expect("the scheme is Basic");
    let pair = String::from_utf8(BASE64.decode(pair.as_bytes()).unwrap()).unwrap();
    let (id, secret) = pair.split_once(':').expect("a colon divides the two");
    if form_urlencoded {
        return (decode_part(id), decode_part(secret));
    }
    (id.to_owned(), secret.to_owned())
}

/// One of the two, form-urlencoded by itself.
fn decode_part(text: &str) -> String {
    let mut fields = decode_form(format!("part={text}").as_bytes());
    assert_eq!(fields.len(), 1, "{text:?} holds a separator");
    fields.remove("part").unwrap().remove(0)
}
