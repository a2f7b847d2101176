//! One guide per task. Each stands alone; their code is compiled and run with the tests.
//!
//! | you want to | read |
//! |---|---|
//! | call ANBIMA, Avista, Conta Simples or Bankly | [`call_a_bank`] |
//! | call another OAuth server, or bring a token of your own making | [`any_oauth_server`] |
//! | describe a bank in a TOML file, and check it against the real thing | [`add_a_bank`] |
//! | put the layer among time-outs, retries, redirects, tracing and limits | [`stack`] |
//! | test your own service | [`test_your_service`] |
//! | know what is promised, in numbers, and what is not | [`guarantees`] |
//! | replace a token manager that you wrote yourself | [`moving_over`] |

#[doc = include_str!("../docs/add_a_bank.md")]
pub mod add_a_bank {}

#[doc = include_str!("../docs/any_oauth_server.md")]
pub mod any_oauth_server {}

#[doc = include_str!("../docs/call_a_bank.md")]
pub mod call_a_bank {}

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/moving_over.md")]
pub mod moving_over {}

#[doc = include_str!("../docs/stack.md")]
pub mod stack {}

#[doc = include_str!("../docs/test_your_service.md")]
pub mod test_your_service {}
