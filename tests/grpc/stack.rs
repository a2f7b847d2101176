//! A bank that issues tokens, a gRPC server that checks them, and tonic's client between.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use tonic::{
    Code, Status,
    body::Body,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tower::{ServiceBuilder, util::BoxCloneService};
use tower_oauth::{
    BoxError, Clock, OAuthError, OAuthLayer, RejectionRule, ResendableBody, ResendableBodyLayer,
    TokenSource, testing::Bank,
};

use crate::{server::EchoServer, support::presets::preset};

pub(crate) type Client = Grpc<BoxCloneService<Request<Body>, Response<Body>, BoxError>>;

pub(crate) struct Stack {
    pub(crate) bank: Bank,
    pub(crate) server: EchoServer,
    pub(crate) source: TokenSource,
    /// The source's.
    pub(crate) clock: Clock,
}

impl Stack {
    pub(crate) async fn open() -> Self {
        let lifetime = Duration::from_secs(3600);
        let bank = Bank::avista().lifetime(lifetime).start().await.unwrap();
        let server = EchoServer::start().await;
        let clock = Clock::tokio();
        let builder = preset(&bank)
            .origin(server.origin())
            .rejection(RejectionRule::grpc())
            .clock(clock.clone());
        let client = reqwest::Client::builder().tls_certs_only([]);
        Self {
            source: builder.build_reqwest(client).unwrap(),
            bank,
            server,
            clock,
        }
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(self.server.origin().to_owned())
            .unwrap()
            .connect_lazy()
    }

    /// As the guide has it.
    pub(crate) fn client(&self) -> Client {
        self.client_with(ResendableBodyLayer::new())
    }

    pub(crate) fn client_with(&self, bodies: ResendableBodyLayer) -> Client {
        let layer = OAuthLayer::new(self.source.clone()).relative_to(self.server.origin());
        let service = ServiceBuilder::new()
            .map_err(with_status)
            .layer(bodies)
            .layer(layer.unwrap().retry_rejected())
            .map_request(|request: Request<ResendableBody>| request.map(Body::new))
            .service(self.channel());
        Grpc::new(BoxCloneService::new(service))
    }
}

/// Gives an error of the token source the status that callers of gRPC expect.
pub(crate) fn with_status(error: BoxError) -> BoxError {
    let Some(oauth) = OAuthError::find(error.as_ref()) else {
        return error;
    };
    let code = Code::from_i32(oauth.suggested_grpc_code());
    let mut status = Status::new(code, "no access token");
    status.set_source(Arc::new(oauth.clone()));
    status.into()
}
