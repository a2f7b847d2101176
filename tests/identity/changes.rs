//! Files that change while the client runs, on a paused clock.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use tower_oauth::{
    Clock, TokenSource,
    identity::Identity,
    testing::{self, Authority},
};

use crate::{
    folder::Folder,
    support::{Endpoint, logs::Logs, secs, served},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const COMPLAINT: &str = "cannot be used; the certificate in use stays";

/// An identity in two files, used by a source, so that somebody looks at them.
struct World {
    authority: Authority,
    folder: Folder,
    clock: Clock,
    identity: Identity,
    source: TokenSource,
    endpoint: Endpoint,
}

impl World {
    async fn new() -> Self {
        let (authority, folder) = (Authority::new().unwrap(), Folder::new());
        let first = authority.client_certificate("me").serial(1).issue();
        folder.write_pair(&first.unwrap());
        Self::over(authority, folder, |folder| folder.pair()).await
    }

    async fn over(
        authority: Authority,
        folder: Folder,
        builder: impl Fn(&Folder) -> tower_oauth::identity::IdentityBuilder,
    ) -> Self {
        let endpoint = Endpoint::new();
        let clock = endpoint.clock.clone();
        let identity = builder(&folder).clock(clock.clone()).build().unwrap();
        let source = endpoint.builder().identity(&identity).build().unwrap();
        source.ready().await.unwrap();
        Self {
            authority,
            folder,
            clock,
            identity,
            source,
            endpoint,
        }
    }

    fn issue(&self, serial: u64) -> testing::Identity {
        let builder = self.authority.client_certificate("me").serial(serial);
        builder.issue().unwrap()
    }

    fn issue_for(&self, serial: u64, from: SystemTime, until: SystemTime) -> testing::Identity {
        let builder = self.authority.client_certificate("me").serial(serial);
        builder.valid(from, until).issue().unwrap()
    }

    fn serial(&self) -> String {
        self.identity.certificate().serial
    }

    /// Until somebody has looked again.
    async fn look(&self) {
        tokio::time::sleep(secs(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_is_used_after_at_most_half_a_minute_and_refreshes_the_token() {
    let (logs, _listening) = Logs::listen();
    let world = World::new().await;
    assert_eq!((&*world.serial(), world.endpoint.attempts()), ("01", 1));
    world.folder.write_pair(&world.issue(2));
    world.look().await;
    assert_eq!(world.serial(), "02");
    let status = world.source.status();
    assert_eq!(status.certificate.unwrap().serial, "02");
    assert_eq!(world.endpoint.attempts(), 2);
    assert_eq!(served(&world.source), "token-2");
    // And no fetch more, nor a warning.
    tokio::time::sleep(secs(300)).await;
    assert_eq!(world.endpoint.attempts(), 2);
    assert_eq!(logs.with(COMPLAINT), Vec::<String>::new());
    assert_eq!(logs.with("the client certificate has changed").len(), 1);
}

/// What is written over a good pair, and what the warning says of it.
async fn keeps_the_old_one(break_it: impl FnOnce(&World), says: &str) {
    let (logs, _listening) = Logs::listen();
    let world = World::new().await;
    break_it(&world);
    tokio::time::sleep(secs(600)).await;
    assert_eq!(world.serial(), "01", "{says}");
    let complaints = logs.with(COMPLAINT);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(says), "{says}: {complaints:?}");
    assert_eq!(world.endpoint.attempts(), 1, "{says}");

    world.folder.write_pair(&world.issue(2));
    world.look().await;
    assert_eq!(world.serial(), "02", "{says}");
}

#[tokio::test(start_paused = true)]
async fn a_half_written_file_keeps_the_old_pair() {
    let half = |world: &World| {
        let new = world.issue(2);
        world.folder.write("tls.crt", new.certificate_pem());
        let key = &new.key_pem()[..new.key_pem().len() / 2];
        world.folder.write("tls.key", key);
    };
    keeps_the_old_one(half, "no END line").await;
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_certificate_keeps_the_old_pair() {
    let other = |world: &World| {
        world.folder.write("tls.key", world.issue(2).key_pem());
    };
    keeps_the_old_one(other, "does not belong to the certificate").await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_certificate_keeps_the_old_pair() {
    let expired = |world: &World| {
        let now = world.clock.wall();
        world
            .folder
            .write_pair(&world.issue_for(2, now - 9 * DAY, now - DAY));
    };
    keeps_the_old_one(expired, "has expired on").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_keeps_the_old_pair() {
    let gone = |world: &World| fs::remove_file(world.folder.path("tls.key")).unwrap();
    keeps_the_old_one(gone, "cannot be read: entity not found").await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_tomorrow_is_used_tomorrow() {
    let (logs, _listening) = Logs::listen();
    let world = World::new().await;
    let now = world.clock.wall();
    world
        .folder
        .write_pair(&world.issue_for(2, now + DAY, now + 90 * DAY));
    world.look().await;
    assert_eq!(world.serial(), "01");
    assert_eq!(logs.with("is not valid before").len(), 1);
    tokio::time::sleep(DAY).await;
    assert_eq!(world.serial(), "02");
}

/// As a mounted secret is: the files are symbolic links through a folder that is a link itself, and that one is
/// swapped.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_swapped_link_is_noticed() {
    use std::os::unix::fs::symlink;
    let (authority, folder) = (Authority::new().unwrap(), Folder::new());
    let version = |name: &str, serial| {
        let pair = authority
            .client_certificate("me")
            .serial(serial)
            .issue()
            .unwrap();
        fs::create_dir(folder.path(name)).unwrap();
        folder.write(&format!("{name}/tls.crt"), pair.certificate_pem());
        folder.write(&format!("{name}/tls.key"), pair.key_pem());
        symlink(name, folder.path("new")).unwrap();
        fs::rename(folder.path("new"), folder.path("..data")).unwrap();
    };
    version("..1", 1);
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.path(name)).unwrap();
    }
    version("..2", 2);
    let first = folder.pair().build().unwrap();
    assert_eq!(first.certificate().serial, "02");
    version("..3", 3);
    assert_eq!(first.reload(), Ok(true));
    assert_eq!(first.certificate().serial, "03");
}

/// The old certificate has been read when the new pair comes, and the key is read after it.
#[cfg(unix)]
#[test]
fn a_pair_that_is_replaced_while_it_is_read_is_read_again() {
    use std::process::Command;
    let (authority, folder) = (Authority::new().unwrap(), Folder::new());
    let [old, new] = [1, 2].map(|serial| {
        let builder = authority.client_certificate("me").serial(serial);
        builder.issue().unwrap()
    });
    folder.write("tls.crt", old.certificate_pem());
    let pipe = folder.path("tls.key");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let identity = std::thread::scope(|threads| {
        threads.spawn(|| {
            // Opened once the other end is read.
            let mut opened = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
            for (name, content) in [("crt", new.certificate_pem()), ("key", new.key_pem())] {
                let written = folder.write("written", content);
                fs::rename(written, folder.path(&format!("tls.{name}"))).unwrap();
            }
            std::io::Write::write_all(&mut opened, new.key_pem().as_bytes()).unwrap();
        });
        folder.pair().build()
    });
    assert_eq!(identity.unwrap().certificate().serial, "02");
}

#[tokio::test(start_paused = true)]
async fn an_archive_with_a_new_password_beside_it_is_followed() {
    use crate::fixtures::{PASSWORD, SERIAL, legacy, modern};
    let folder = Folder::new();
    let (archive, password) = (
        folder.path("company.pfx"),
        folder.write("password", PASSWORD),
    );
    folder.write("company.pfx", legacy());
    let identity = Identity::pkcs12_file(archive)
        .password_from(tower_oauth::SecretRef::File(password))
        .build()
        .unwrap();
    assert_eq!(identity.reload(), Ok(false));
    folder.write("password", "another");
    let error = identity.reload().unwrap_err();
    assert_eq!(error.field(), "password");
    assert_eq!(identity.certificate().serial, SERIAL);
    folder.write("company.pfx", modern());
    folder.write("password", PASSWORD);
    assert_eq!(identity.reload(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn the_end_is_warned_of_at_each_mark_and_then_daily() {
    let (authority, folder) = (Authority::new().unwrap(), Folder::new());
    let now = Clock::tokio().wall();
    let builder = authority.client_certificate("me").serial(1);
    folder.write_pair(&builder.valid(now - DAY, now + 40 * DAY).issue().unwrap());
    let (logs, _listening) = Logs::listen();
    let hourly = |folder: &Folder| folder.pair().poll_interval(secs(3600));
    let world = World::over(authority, folder, hourly).await;
    tokio::time::sleep(42 * DAY).await;
    let days = |line: &String| {
        let (_, rest) = line.split_once("days_left=").unwrap();
        rest.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let soon: Vec<_> = logs.with("expires soon").iter().map(days).collect();
    // To the last whole hour.
    assert_eq!(soon, [29, 13, 6, 2, 0]);
    assert_eq!(logs.with("has expired").len(), 2);

    world.folder.write_pair(&world.issue(2));
    tokio::time::sleep(2 * DAY).await;
    assert_eq!(logs.with("has expired").len(), 2);
}
