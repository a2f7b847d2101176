//! Durations and margins in configuration, written and read again.

use std::time::Duration;

use proptest::prelude::*;
use tower_oauth::{Margin, client_credentials::Dialect};

use crate::config;

/// As many of each number of digits, up to what the words can say.
fn durations() -> impl Strategy<Value = Duration> {
    (0..63_u32, any::<u64>(), 0..1_000_000_000_u32)
        .prop_map(|(bits, seconds, nanos)| Duration::new((seconds >> 1) >> bits, nanos))
}

fn written_and_read(dialect: &Dialect) -> [Dialect; 2] {
    [
        toml::from_str(&toml::to_string(dialect).unwrap()).unwrap(),
        serde_json::from_str(&serde_json::to_string(dialect).unwrap()).unwrap(),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_duration_survives_being_written(one in durations(), other in durations()) {
        let mut dialect = Dialect::new("bank", "https://login.example/token");
        dialect.default_lifetime = Some(one);
        dialect.refresh_margin = Some(Margin::Fixed(other));
        for read in written_and_read(&dialect) {
            assert_eq!(read.default_lifetime, Some(one));
            assert_eq!(read.refresh_margin, Some(Margin::Fixed(other)));
        }
    }

    #[test]
    fn a_duration_is_the_sum_of_its_words(
        hours in 0..100_u64, minutes in 0..100_u64, seconds in 0..100_u64, millis in 0..1000_u64
    ) {
        let text = format!("name = 'a'\ntoken_url = 'b'\nmax_lifetime = '{hours}h {minutes}m {seconds}s {millis}ms'");
        let dialect: Dialect = toml::from_str(&text).unwrap();
        let sum = Duration::from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis);
        assert_eq!(dialect.max_lifetime, Some(sum));
    }
}
