//! Finds the client that a token request names, before anything of the request is checked.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use percent_encoding::percent_decode;

use super::{Client, Clients};
use crate::testing::{
    fields::{self, Fields},
    specification::{Expected, TokenEndpoint},
};

impl Clients {
    /// `None`: the request names no client, or one that the bank does not know.
    pub(in crate::testing) fn named(
        &self,
        request: &Request<Bytes>,
        endpoint: &TokenEndpoint,
    ) -> Option<&Client> {
        self.in_basic(request).or_else(|| {
            self.in_body(
                &fields::parse(request.body(), endpoint.encoding).ok()?,
                endpoint,
            )
        })
    }

    fn in_basic(&self, request: &Request<Bytes>) -> Option<&Client> {
        let sent = request.headers().get(AUTHORIZATION)?.as_bytes();
        let pair = BASE64_STANDARD.decode(sent.strip_prefix(b"Basic ")?).ok()?;
        let id = pair.split(|&byte| byte == b':').next()?;
        // The bank denies an id that is form-urlencoded, and says so if it knows the id.
        let decoded = Cow::from(percent_decode(id));
        [id, &decoded]
            .into_iter()
            .find_map(|id| self.get(str::from_utf8(id).ok()?))
    }

    fn in_body(&self, fields: &Fields, endpoint: &TokenEndpoint) -> Option<&Client> {
        let mut expected = endpoint.fields.iter();
        let name = expected.find(|(_, expected)| matches!(expected, Expected::ClientId));
        let name = name.map_or("client_id", |(name, _)| name);
        let by_field = fields.get(name).and_then(|id| self.get(id));
        #[cfg(feature = "jwt")]
        return by_field.or_else(|| self.get(&crate::testing::assertions::issuer(fields)?));
        #[cfg(not(feature = "jwt"))]
        by_field
    }
}
