//! Numbers that a seed repeats; what the machine does at them is its own.

use std::time::Duration;

pub struct Random(u64);

impl Random {
    /// Those of one chain of faults, whatever the others drew.
    pub fn of(seed: u64, chain: u64) -> Self {
        let mut random = Self(seed ^ chain.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len())]
    }

    pub fn part_of(&mut self, whole: Duration) -> Duration {
        whole * u32::try_from(self.below(10_000)).unwrap() / 10_000
    }
}
