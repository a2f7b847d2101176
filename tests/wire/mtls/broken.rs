//! Files that are replaced by a pair that cannot be used, as a mounted secret is: a link to a folder is swapped. New
//! connections show the old certificate, and one warning says what is wrong, until a good pair is there.

use std::{env, fs, os::unix::fs::symlink, path::PathBuf, time::Duration};

use http::StatusCode;
use tower_oauth::{
    Clock,
    identity::{Identity, IdentityBuilder},
    testing::{self, Authority, Bank},
};

use super::{
    renewed::{Renewed, by_certificate, issue},
    stack::{CLIENTS, open},
};
use crate::support::logs::Logs;

/// Two links, by way of `..data`, into a folder of its own for each version of the pair.
struct Mounted {
    folder: PathBuf,
    versions: u32,
}

impl Mounted {
    fn new(name: &str, pair: &testing::Identity) -> Self {
        let name = format!("tower-oauth-mounted-{}-{name}", std::process::id());
        let folder = env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), folder.join(name)).unwrap();
        }
        let mut mounted = Self {
            folder,
            versions: 0,
        };
        mounted.swap(pair.certificate_pem(), Some(pair.key_pem()));
        mounted
    }

    /// In one step. A key that cannot be read is a folder.
    fn swap(&mut self, certificate: &str, key: Option<&str>) {
        self.versions += 1;
        let version = format!("..{}", self.versions);
        let folder = self.folder.join(&version);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tls.crt"), certificate).unwrap();
        match key {
            Some(key) => fs::write(folder.join("tls.key"), key).unwrap(),
            None => fs::create_dir(folder.join("tls.key")).unwrap(),
        }
        symlink(&version, self.folder.join("new")).unwrap();
        fs::rename(self.folder.join("new"), self.folder.join("..data")).unwrap();
    }

    fn identity(&self) -> IdentityBuilder {
        Identity::pem_files(self.folder.join("tls.crt"), self.folder.join("tls.key"))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Certificate and key as the files hold them, and what the warning says.
struct Broken {
    certificate: String,
    key: Option<String>,
    says: &'static str,
}

fn all_broken(authority: &Authority, new: &testing::Identity) -> [Broken; 6] {
    let (certificate, key) = (new.certificate_pem(), new.key_pem());
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let (day, now) = (Duration::from_secs(24 * 60 * 60), Clock::system().wall());
    let expired = authority.client_certificate("me");
    let expired = expired.valid(now - 9 * day, now - day).issue().unwrap();
    let broken = |certificate: &str, key: Option<&str>, says| Broken {
        certificate: certificate.to_owned(),
        key: key.map(str::to_owned),
        says,
    };
    let other = issue(authority, 9);
    [
        broken(&half(certificate), Some(key), "no END line"),
        broken(certificate, Some(&half(key)), "no END line"),
        broken("", Some(key), "the file is empty"),
        broken(
            certificate,
            Some(other.key_pem()),
            "does not belong to the certificate",
        ),
        broken(
            expired.certificate_pem(),
            Some(expired.key_pem()),
            "has expired on",
        ),
        broken(certificate, None, "cannot be read: is a directory"),
    ]
}

#[tokio::test]
async fn a_broken_pair_leaves_the_old_one_in_use_until_a_good_one_is_there() {
    let authority = Authority::new().unwrap();
    for client in CLIENTS {
        let (old, new) = (issue(&authority, 1), issue(&authority, 2));
        for (number, broken) in all_broken(&authority, &new).into_iter().enumerate() {
            let case = format!("{client:?}-{number}");
            let (logs, _listening) = Logs::listen();
            // The task of the case before may end a moment later.
            let complaints = || {
                let mut complaints = logs.with("cannot be used; the certificate in use stays");
                complaints.retain(|it| it.contains(&format!("{case}/")));
                complaints
            };
            let mut files = Mounted::new(&case, &old);
            let bank = open(Bank::bankly(), &authority).await;
            let identity = files.identity().poll_interval(Duration::from_millis(5));
            let identity = identity.build().unwrap();
            let stack = || Renewed::new(client, &authority, &identity, by_certificate(&bank));
            let status = async |stack: &Renewed| {
                let response = stack.post(&bank.api_url()).await;
                response
                    .unwrap_or_else(|error| panic!("{case}: {error}"))
                    .status()
            };
            let before = stack();
            assert_eq!(status(&before).await, StatusCode::OK, "{case}");

            files.swap(&broken.certificate, broken.key.as_deref());
            while complaints().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let during = stack();
            let handshakes = bank.certificate_use(&old).handshakes;
            for stack in [&before, &during] {
                assert_eq!(status(stack).await, StatusCode::OK, "{case}");
            }
            assert!(bank.certificate_use(&old).handshakes > handshakes, "{case}");
            assert_eq!(bank.certificate_use(&new).handshakes, 0, "{case}");
            assert_eq!(before.source.status().counters.fetches, 1, "{case}");
            assert_eq!(complaints().len(), 1, "{case}: {:?}", complaints());
            assert!(
                complaints()[0].contains(broken.says),
                "{case}: {:?}",
                complaints()
            );

            files.swap(new.certificate_pem(), Some(new.key_pem()));
            bank.wait_for(|counters| counters.tokens_issued == 4).await;
            bank.accept_only(&[&new]).unwrap();
            for stack in [&before, &during] {
                assert_eq!(status(stack).await, StatusCode::OK, "{case}");
                assert_eq!(stack.source.status().counters.fetches, 2, "{case}");
            }
            assert_eq!(complaints().len(), 1, "{case}: {:?}", complaints());
        }
    }
}
