//! Client certificates that are read from files and can change while the client runs. How they are used over sockets is
//! tested in `wire/mtls`.

mod changes;
mod damage;
mod fixtures;
mod folder;
mod forms;
mod mistakes;
#[path = "../support/mod.rs"]
mod support;
mod task;
