//! The arithmetic, over every policy that passes its own check.

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};

use super::{check::DAY, *};

/// The same cases every time; `PROPTEST_CASES` makes them more.
pub(crate) fn config() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    }
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// As many short ones as long ones.
fn lifetimes() -> impl Strategy<Value = Duration> {
    let longest = 366 * DAY;
    (0.0..1.0).prop_map(move |part: f64| {
        let millis = (longest.as_millis() as f64).powf(part);
        Duration::from_millis(millis as u64).min(longest)
    })
}

fn margins() -> impl Strategy<Value = Margin> {
    prop_oneof![
        lifetimes().prop_map(Margin::Fixed),
        (0.0..=0.5).prop_map(Margin::Fraction),
    ]
}

fn back_offs() -> impl Strategy<Value = BackOff> {
    let hour = 3_600_000;
    (millis(1..hour), millis(0..hour)).prop_map(|(first, more)| BackOff::new(first, first + more))
}

prop_compose! {
    fn policies()(
        (refresh_margin, max_refresh_margin) in (margins(), lifetimes()),
        jitter in 0.0..=0.5,
        expiry_leeway in millis(1..3_600_000),
        (max_lifetime, single_active) in (lifetimes(), any::<bool>()),
        back_off in back_offs(),
        max_retry_after in millis(5_000..86_400_000),
        retry_wait in millis(0..60_000),
    ) -> Policy {
        let mut policy = Policy::default();
        policy.refresh.margin = refresh_margin;
        policy.refresh.max_margin = max_refresh_margin;
        policy.refresh.jitter = jitter;
        policy.refresh.single_active = single_active;
        policy.lifetime.leeway = expiry_leeway;
        policy.lifetime.max = max_lifetime;
        policy.lifetime.default = max_lifetime;
        policy.back_off.transient = back_off;
        policy.retry.max_retry_after = max_retry_after;
        policy.retry.first_wait = retry_wait;
        policy
    }
}

/// Policies that a source can be built with.
fn sound() -> impl Strategy<Value = Policy> {
    policies().prop_filter("the numbers contradict each other", |it| it.check().is_ok())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_life_is_divided_in_order(policy in sound(), lifetime in lifetimes(), draw in 0.0..1.0) {
        let window = policy.window(lifetime, draw);
        assert_eq!(window.lifetime, lifetime);
        assert!(window.use_for < lifetime);
        assert!(lifetime - window.use_for <= policy.lifetime.leeway);
        assert!(window.use_for >= lifetime.mul_f64(0.949));
        assert!(window.refresh_after <= window.use_for);
        assert!(lifetime - window.refresh_after <= lifetime / 2);
    }

    #[test]
    fn by_default_a_refresh_has_time_before_the_end(lifetime in lifetimes(), draw in 0.0..1.0) {
        let window = Policy::default().window(lifetime, draw);
        assert!(window.refresh_after < window.use_for);
        let ahead = lifetime - window.refresh_after;
        let margin = lifetime.mul_f64(0.2).min(Duration::from_secs(3600));
        assert!(ahead >= margin, "{ahead:?}");
        assert!(ahead <= margin + lifetime.mul_f64(0.1), "{ahead:?}");
    }

    #[test]
    fn a_longer_life_is_refreshed_and_ends_no_sooner(
        policy in sound(), lifetime in lifetimes(), more in millis(1..10_000_000), draw in 0.0..1.0
    ) {
        let (short, long) = (policy.window(lifetime, draw), policy.window(lifetime + more, draw));
        assert!(short.refresh_after <= long.refresh_after);
        assert!(short.use_for <= long.use_for);
    }

    #[test]
    fn a_larger_draw_refreshes_no_later(
        policy in sound(), lifetime in lifetimes(), draw in 0.0..1.0, other in 0.0..1.0
    ) {
        let window = |draw| policy.window(lifetime, draw).refresh_after;
        assert!(window(f64::max(draw, other)) <= window(f64::min(draw, other)));
    }

    #[test]
    fn a_fixed_margin_that_fits_is_kept_to_the_nanosecond(
        mut policy in sound(), lifetime in lifetimes(), part in 0.05..0.5
    ) {
        let margin = lifetime.mul_f64(part);
        policy.refresh.margin = Margin::Fixed(margin);
        policy.refresh.jitter = 0.0;
        policy.refresh.single_active = false;
        assert_eq!(policy.window(lifetime, 0.5).refresh_after, lifetime - margin);
    }

    #[test]
    fn back_off_doubles_up_to_its_bound_and_is_spread_by_a_quarter(
        policy in sound(), failures in 1..u32::MAX, draw in 0.0..1.0
    ) {
        let class = FailureClass::Transient;
        let BackOff { first, max } = policy.back_off.transient;
        let middle = |failures| policy.back_off.transient.after(failures);
        assert_eq!(middle(1), first);
        assert_eq!(middle(failures + 1), (2 * middle(failures)).min(max));
        assert_eq!(policy.back_off.transient.doubled(middle(failures)), middle(failures + 1));

        let wait = policy.back_off(class, failures, draw);
        assert!(wait >= middle(failures).mul_f64(0.75));
        assert!(wait <= middle(failures).mul_f64(1.25));
    }

    #[test]
    fn what_a_server_asks_for_is_waited_for_up_to_a_bound(
        policy in sound(), seconds in any::<u64>(), draw in 0.0..1.0
    ) {
        let asked = Duration::from_secs(seconds);
        let believed = asked.min(policy.retry.max_retry_after);
        let wait = policy.believed_retry_after(asked, draw);
        assert!(wait >= believed && wait <= believed.mul_f64(1.1), "{wait:?}");
    }

    #[test]
    fn waits_within_a_fetch_come_from_a_range_that_doubles(
        policy in sound(), attempt in 1..20_u32, draw in 0.0..1.0
    ) {
        let range = policy.retry.first_wait * 2_u32.pow(attempt - 1);
        assert!(policy.wait_between_attempts(attempt, draw) <= range);
        let middle = policy.wait_between_attempts(attempt, 0.5);
        assert_eq!(middle, range / 2);
    }
}
