//! One task watches an identity, whoever uses it, and it ends with the last handle.

use std::{
    future::ready,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::runtime::{Builder, Handle, Runtime};
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    identity::{Identity, RenewingClient},
    testing::Authority,
};

use crate::{
    fixtures::{CERTIFICATE, KEY},
    folder::Folder,
    support::{Endpoint, secs},
};

fn identity() -> Identity {
    Identity::pem([CERTIFICATE, KEY].concat()).build().unwrap()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// A client that only watches.
fn client(identity: &Identity) -> RenewingClient<()> {
    RenewingClient::new(identity, |_| Ok(())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn there_is_one_for_all_handles_and_uses() {
    let identity = identity();
    assert_eq!(tasks(), 0, "nobody has used it");
    let clients: Vec<_> = (0..8).map(|_| client(&identity.clone())).collect();
    clients.iter().for_each(|client| client.client());
    assert_eq!(tasks(), 1);

    let sources: Vec<_> = (0..3)
        .map(|_| {
            Endpoint::new()
                .builder()
                .identity(&identity)
                .build()
                .unwrap()
        })
        .collect();
    for source in &sources {
        source.ready().await.unwrap();
    }
    tokio::time::sleep(secs(300)).await;
    assert_eq!(tasks(), 1);

    drop((clients, sources));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(tasks(), 1, "a handle is left");
    drop(identity);
    // Long before it would look again.
    tokio::task::yield_now().await;
    assert_eq!(tasks(), 0);
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Without the flag that the task turns back, nobody would look at the files again.
#[test]
fn after_the_end_of_its_runtime_another_starts_where_it_is_used_next() {
    let client = client(&identity());
    let first = runtime();
    first.block_on(async { client.client() });
    assert_eq!(first.metrics().num_alive_tasks(), 1);
    let second = runtime();
    second.block_on(async { client.client() });
    assert_eq!(
        second.metrics().num_alive_tasks(),
        0,
        "the first is still there"
    );
    drop(first);
    second.block_on(async { client.client() });
    assert_eq!(second.metrics().num_alive_tasks(), 1);
}

#[test]
fn outside_a_runtime_it_can_be_used_without_one() {
    client(&identity()).client();
}

#[tokio::test(start_paused = true)]
async fn a_client_is_built_once_for_each_certificate() {
    let folder = Folder::new();
    let authority = Authority::new().unwrap();
    folder.write_pair(&authority.client("me").unwrap());
    let identity = folder.pair().build().unwrap();
    let built = Arc::new(AtomicUsize::new(0));
    let count = built.clone();
    let client = RenewingClient::new(&identity, move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(service_fn(move |_: ()| {
            ready(Ok::<_, std::io::Error>(number))
        }))
    });
    let client = client.unwrap();
    for number in 1..=3 {
        for _ in 0..2 {
            assert_eq!(client.clone().oneshot(()).await.unwrap(), number);
        }
        folder.write_pair(&authority.client("me").unwrap());
        assert_eq!(identity.reload(), Ok(true));
    }
    assert_eq!(built.load(Ordering::Relaxed), 3);
}

/// A client is labelled with the version before it was built. Labelled with the one after, it would stay for good.
#[test]
fn a_change_while_a_client_is_built_leads_to_another() {
    let folder = Folder::new();
    let authority = Authority::new().unwrap();
    let renew = || folder.write_pair(&authority.client("me").unwrap());
    renew();
    let identity = folder.pair().build().unwrap();
    let built = Arc::new(AtomicUsize::new(0));
    let (count, changing) = (built.clone(), authority.client("me").unwrap());
    let path = folder.path("");
    let client = RenewingClient::new(&identity, move |identity| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        if number == 2 {
            std::fs::write(path.join("tls.crt"), changing.certificate_pem()).unwrap();
            std::fs::write(path.join("tls.key"), changing.key_pem()).unwrap();
            assert_eq!(identity.reload(), Ok(true));
        }
        Ok(number)
    });
    let client = client.unwrap();
    renew();
    assert_eq!(identity.reload(), Ok(true));
    assert_eq!(
        (client.client(), client.client(), client.client()),
        (2, 3, 3)
    );
}

/// Each would drop the connections of the one before it.
#[test]
fn threads_that_find_a_change_at_once_build_one_client() {
    const THREADS: usize = 8;
    let folder = Folder::new();
    let authority = Authority::new().unwrap();
    folder.write_pair(&authority.client("me").unwrap());
    let identity = folder.pair().build().unwrap();
    let built = Arc::new(AtomicUsize::new(0));
    let count = built.clone();
    let client = RenewingClient::new(&identity, move |_| {
        std::thread::yield_now();
        Ok(count.fetch_add(1, Ordering::Relaxed) + 1)
    });
    let client = client.unwrap();
    for number in 2..50 {
        folder.write_pair(&authority.client("me").unwrap());
        assert_eq!(identity.reload(), Ok(true));
        let start = Barrier::new(THREADS);
        std::thread::scope(|threads| {
            for _ in 0..THREADS {
                threads.spawn(|| {
                    start.wait();
                    assert_eq!(client.client(), number);
                });
            }
        });
    }
    assert_eq!(built.load(Ordering::Relaxed), 49);
}
