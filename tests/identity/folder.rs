//! A folder of its own for each test.

use std::{
    env, fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use tower_oauth::{
    ConfigError,
    identity::{Identity, IdentityBuilder},
    testing,
};

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-oauth-identity-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Two files, as most programs write them.
    pub(crate) fn write_pair(&self, pair: &testing::Identity) {
        self.write("tls.crt", pair.certificate_pem());
        self.write("tls.key", pair.key_pem());
    }

    pub(crate) fn pair(&self) -> IdentityBuilder {
        Identity::pem_files(self.path("tls.crt"), self.path("tls.key"))
    }

    /// What is said of two files with this content.
    pub(crate) fn rejected(&self, certificate: &str, key: &str) -> ConfigError {
        self.write("tls.crt", certificate);
        self.write("tls.key", key);
        self.pair().build().unwrap_err()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
