//! One guide per task. Each stands alone, and its code is run with the tests.

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
