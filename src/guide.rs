//! One guide per task. Each can be read alone.
//!
//! The pages are those of the folder `docs`, and their code is that of `examples/guide_*.rs`.

/// Includes a page. Its links go to other pages; the definitions here come first and lead to the modules instead.
macro_rules! guide {
    ($name:ident, $page:literal) => {
        #[doc = "[add]: crate::guide::add_a_bank"]
        #[doc = "[call]: crate::guide::call_a_bank"]
        #[doc = "[fetcher]: crate::guide::any_oauth_server#tokens-from-somewhere-else"]
        #[doc = "[grpc]: crate::guide::grpc"]
        #[doc = "[guarantees]: crate::guide::guarantees"]
        #[doc = "[mtls]: crate::guide::mtls"]
        #[doc = "[server]: crate::guide::any_oauth_server#tokens-from-somewhere-else"]
        #[doc = "[share]: crate::guide::share_a_token"]
        #[doc = "[stack]: crate::guide::stack"]
        #[doc = "[test]: crate::guide::test_your_service"]
        #[doc = ""]
        #[doc = include_str!($page)]
        pub mod $name {}
    };
}

guide!(add_a_bank, "../docs/add_a_bank.md");
guide!(any_oauth_server, "../docs/any_oauth_server.md");
guide!(call_a_bank, "../docs/call_a_bank.md");
guide!(grpc, "../docs/grpc.md");
guide!(guarantees, "../docs/guarantees.md");
guide!(many_customers, "../docs/many_customers.md");
guide!(mtls, "../docs/mtls.md");
guide!(moving_over, "../docs/moving_over.md");
guide!(secrets_that_change, "../docs/secrets_that_change.md");
guide!(share_a_token, "../docs/share_a_token.md");
guide!(signed_assertions, "../docs/signed_assertions.md");
guide!(stack, "../docs/stack.md");
guide!(test_your_service, "../docs/test_your_service.md");
