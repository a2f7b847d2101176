//! A fleet of real processes over a real `redis-server`. `.ci/fleet` installs the server and runs these tests.
//!
//! Each process is this binary again, with the one test `worker`: see `process.rs`.

mod cases;
mod outages;
mod process;
mod secrets;
mod server;
mod worker;
