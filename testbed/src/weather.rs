//! What a bad link does to datagrams, by seed.

use std::time::Duration;

/// What happens to the datagrams in one direction. The default is a perfect link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Datagrams that are lost, in percent.
    pub loss: u32,
    /// Datagrams of the others that come twice, in percent.
    pub twice: u32,
    /// How long each takes at least.
    pub delay: Duration,
    /// What comes on top at random, at most.
    pub jitter: Duration,
    /// Datagrams that are held back, so that later ones overtake them, in percent.
    pub late: u32,
    /// For how long, at most.
    pub hold: Duration,
}

impl Weather {
    /// A link that loses so many percent, and does nothing else.
    #[must_use]
    pub fn losing(loss: u32) -> Self {
        Self {
            loss,
            ..Self::default()
        }
    }
}

/// The most transmissions that so many messages should take which are sent until
/// they are answered, with such a loss each way, in percent. One succeeds if both it
/// and its answer arrive, so their number is distributed geometrically; this is five
/// standard deviations above the mean.
#[must_use]
pub fn most_transmissions(messages: usize, loss: u32) -> u64 {
    let arrives = 1.0 - f64::from(loss) / 100.0;
    let succeeds = arrives * arrives;
    let count = f64::from(u32::try_from(messages).unwrap_or(u32::MAX));
    let mean = count / succeeds;
    let deviation = (count * (1.0 - succeeds)).sqrt() / succeeds;
    let most = (mean + 5.0 * deviation).round();
    // Of a float there is no checked conversion but by its text.
    format!("{most:.0}").parse().unwrap_or(u64::MAX)
}

/// Numbers from a seed; splitmix64. Not secure, and need not be.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same numbers each time for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number under `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll().checked_rem(limit).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }
}

/// What becomes of one datagram after the other: for the n-th the same each time.
#[derive(Clone, Debug)]
pub struct Fates {
    weather: Weather,
    dice: Dice,
}

impl Fates {
    /// Fates of the datagrams in one direction.
    #[must_use]
    pub fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            dice: Dice::new(seed),
        }
    }

    /// How long the copies of the next datagram that arrive take: none where it
    /// is lost.
    pub fn next_copies(&mut self) -> Vec<Duration> {
        // A generator of its own for each datagram, so that one more roll for this
        // one changes nothing for the next.
        let mut dice = Dice::new(self.dice.roll());
        if dice.chance(self.weather.loss) {
            return Vec::new();
        }
        let copies = 1 + usize::from(dice.chance(self.weather.twice));
        (0..copies)
            .map(|_| {
                let held = dice.chance(self.weather.late);
                let hold = if held {
                    self.weather.hold
                } else {
                    Duration::ZERO
                };
                self.weather.delay + dice.up_to(self.weather.jitter) + dice.up_to(hold)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_happens_as_often_as_it_says_and_the_same_each_time() {
        let weather = Weather {
            loss: 30,
            twice: 10,
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(5),
            late: 15,
            hold: Duration::from_millis(300),
        };
        let fates = |seed| {
            let mut fates = Fates::new(weather, seed);
            (0..20_000).map(|_| fates.next_copies()).collect::<Vec<_>>()
        };
        let all = fates(1);
        assert_eq!(all, fates(1));
        assert_ne!(all, fates(2));
        let share = |of: usize, all: usize| of * 1000 / all;
        let lost = all.iter().filter(|copies| copies.is_empty()).count();
        let twice = all.iter().filter(|copies| copies.len() == 2).count();
        let times: Vec<_> = all.iter().flatten().collect();
        let late = times.iter().filter(|time| time.as_millis() > 25).count();
        assert!((290..310).contains(&share(lost, all.len())));
        assert!((90..110).contains(&share(twice, all.len() - lost)));
        // A hold of under 5 ms does not show.
        assert!((135..155).contains(&share(late, times.len())));
        assert!(
            times
                .iter()
                .all(|time| (20..=325).contains(&time.as_millis()))
        );
    }

    #[test]
    fn what_a_loss_costs() {
        assert_eq!(most_transmissions(100, 0), 100);
        // 100 / 0.49, and five times the root of 51, / 0.49.
        assert_eq!(most_transmissions(100, 30), 277);
    }

    #[test]
    fn a_perfect_link_is_one() {
        let mut fates = Fates::new(Weather::default(), 1);
        for _ in 0..1000 {
            assert_eq!(fates.next_copies(), [Duration::ZERO]);
        }
    }
}
