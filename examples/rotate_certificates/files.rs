//! Certificate and key on disk, in a folder of their own.

use std::{env, fs, io, path::PathBuf, process};

use tower_oauth::{
    identity::{Identity, IdentityBuilder},
    testing,
};

pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn new(pair: &testing::Identity) -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("tower-oauth-rotate-{}", process::id()));
        fs::create_dir_all(&folder)?;
        let files = Self(folder);
        files.replace(pair)?;
        Ok(files)
    }

    /// One after the other, as most programs do it.
    pub(crate) fn replace(&self, pair: &testing::Identity) -> io::Result<()> {
        fs::write(self.0.join("tls.crt"), pair.certificate_pem())?;
        let key = self.0.join("tls.key");
        fs::write(&key, pair.key_pem())?;
        #[cfg(unix)]
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }

    pub(crate) fn identity(&self) -> IdentityBuilder {
        Identity::pem_files(self.0.join("tls.crt"), self.0.join("tls.key"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
