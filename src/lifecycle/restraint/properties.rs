//! The bucket, with draws at arbitrary times.

use proptest::prelude::*;

use super::*;
use crate::policy::properties::config;

fn bucket(size: u32, refill: Duration) -> Bucket {
    let mut policy = Policy::default();
    policy.rejection.burst = size;
    policy.rejection.refill = refill;
    Bucket::new(&policy)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_more_is_drawn_than_was_there_and_earned(
        size in 0..10_u32,
        refill in 1..50_u32,
        steps in prop::collection::vec((0..40_u32, any::<bool>()), 1..200),
    ) {
        let second = Duration::from_secs(1);
        let mut bucket = bucket(size, refill * second);
        let (mut now, mut drawn, mut fetching) = (0, 0, false);
        for (step, fails) in steps {
            now += step;
            match fetching && fails {
                true => {
                    bucket.give_back();
                    drawn -= 1;
                    fetching = false;
                }
                false if bucket.draw(now * second) => {
                    drawn += 1;
                    fetching = true;
                }
                false => {}
            }
            assert!(drawn <= size + now / refill, "{drawn} drawn by second {now}");
        }
        let at_once = (0..20).filter(|_| bucket.draw(now * second)).count();
        assert!(at_once <= size as usize, "{at_once} drawn at once");
    }

    #[test]
    fn one_more_is_earned_in_each_refill(
        size in 1..10_u32, refill in 1..50_u64, start in any::<u32>(), late in 0.0..1.0
    ) {
        let refill = Duration::from_secs(refill);
        let start = Duration::from_secs(start.into());
        let mut bucket = bucket(size, refill);
        let drawn = (0..20).filter(|_| bucket.draw(start)).count();
        assert_eq!(drawn, size as usize);
        assert!(!bucket.draw(start + refill.mul_f64(0.999 * late)));
        assert!(bucket.draw(start + refill));
        assert!(!bucket.draw(start + refill));
    }
}
