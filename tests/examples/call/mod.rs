//! `examples/call` as a black box: its figures on standard output, its exit status, and what it never says.

pub(crate) mod tool;

mod advice;
mod banks;
mod catalogue;
mod certificates;
mod check;
mod fifth_bank;
mod http2;
mod load;
mod rejections;
mod secret_file;
mod secrets;
mod signing;
mod store;
mod usage;
mod verbose;
