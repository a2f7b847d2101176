//! Who subscribes to the changes while one is made.

use super::*;
use crate::lifecycle::cell::Phase;

#[test]
fn a_subscriber_sees_a_change_or_hears_of_it() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        let changer = thread::spawn({
            let world = world.clone();
            move || {
                let due = world.cell.get().unwrap().due(world.now());
                world.step(|_| world.cell.put(Arc::new(due)));
                world.announce();
            }
        });
        let mut changed = world.subscribe();
        let now = world.now();
        // Without the lock, as a request reads it.
        if world.cell.with(|issued| issued.phase(now)) == Some(Phase::Fresh) {
            block_on(changed.changed()).unwrap();
        }
        changer.join().unwrap();
    });
}
