//! Samples that nobody could foresee and everybody can draw again.
//!
//! A sample is the first few of a population in an order that the trail's own root decides: the digits of the events'
//! ids, last first, under an alphabet shuffled by a seed. The seed comes of the checkpoint's root and the control's name,
//! so that whoever recorded the events could not know it, and the order is plain SQL.

/// Sampled events of a population.
pub(crate) const SAMPLES: usize = 5;

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// The expression by which a sample is ordered.
pub(crate) fn order(root: &str, control: &str) -> String {
    let digits: String = DIGITS.iter().collect();
    format!("translate(reverse(id), '{digits}', '{}')", alphabet(root, control))
}

/// The shuffled digits.
pub(crate) fn alphabet(root: &str, control: &str) -> String {
    let mut digits = DIGITS;
    let mut state = seed(root, control);
    for last in (1..digits.len()).rev() {
        let at = next(&mut state) % (last as u64 + 1);
        digits.swap(last, usize::try_from(at).unwrap_or(last));
    }
    digits.iter().collect()
}

/// FNV-1a, 64 bits, over both texts. The root is a hash already: this only folds it.
fn seed(root: &str, control: &str) -> u64 {
    let bytes = root.bytes().chain([0]).chain(control.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_order() {
        insta::assert_snapshot!(alphabet("root", "ruled"), @"3d0681fea5cb2479");
        assert_ne!(alphabet("root", "ruled"), alphabet("root", "denied"));
        assert_ne!(alphabet("root", "ruled"), alphabet("rood", "ruled"));
    }

    proptest! {
        #[test]
        fn every_digit_stands_in_it_once(root: String, control: String) {
            let mut digits: Vec<char> = alphabet(&root, &control).chars().collect();
            digits.sort_unstable();
            prop_assert_eq!(digits, DIGITS.to_vec());
        }
    }
}
