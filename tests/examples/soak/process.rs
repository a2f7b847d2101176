//! Processes, and what Linux knows of them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Child,
};

/// It ends with the test.
pub(crate) struct OnDrop(pub(crate) Child);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo builds examples beside the folder of the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "cargo build --example {name}");
    path
}

/// A process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// In KiB, what it has written to: its heap and stacks, and no code.
    pub(crate) memory: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

impl Look {
    pub(crate) fn at(process: &Child) -> io::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{}", process.id()));
        Ok(Self {
            memory: field(&folder.join("smaps_rollup"), "Anonymous:")?,
            threads: field(&folder.join("status"), "Threads:")?,
            files: fs::read_dir(folder.join("fd"))?.count() as u64,
        })
    }
}

fn field(file: &Path, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
