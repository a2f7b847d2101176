//! A fleet of real processes over a real `redis-server`. `.ci/fleet` installs the server and runs these tests.
//!
//! Each process is this binary again, with the one test `worker`: see `process.rs`.

mod cases;
mod cluster;
mod examples;
mod kills;
mod outages;
mod permissions;
mod process;
mod secrets;
mod server;
mod tls;
mod worker;
