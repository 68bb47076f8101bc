//! A routing number and an account, joined by a slash: `021000021/4829103847 (routing/account)`.

use super::super::checksum as check;
use super::super::groups::Groups;
use super::Hit;
use crate::Entity;
use crate::text::Text;

/// Digits of a routing number, and of an account.
const ROUTING: usize = 9;
const ACCOUNT: std::ops::RangeInclusive<usize> = 6..=17;

/// The half of a pair that starts at `at`, where words before or behind speak of routing.
pub(crate) fn find(text: &Text<'_>, at: usize, groups: &Groups) -> Option<Hit> {
    let end = groups.as_slice().first()?.end;
    if text.before(at, 1) == Some(b'/') {
        let start = at.checked_sub(ROUTING + 1)?;
        let fits = ACCOUNT.contains(&(end - at)) && text.word_end(end);
        let pair = fits && is_routing(text.slice(start, at - 1)) && speaks_of_routing(text, start, end);
        return pair.then(|| Hit::closed(Entity::UsBankNumber, end).said_by("routing"));
    }
    if end - at != ROUTING || text.get(end) != Some(b'/') || !is_routing(text.slice(at, end)) {
        return None;
    }
    let account = text.run(end + 1, ACCOUNT.end() + 1, |b| b.is_ascii_digit());
    let pair = ACCOUNT.contains(&(account - end - 1))
        && text.word_end(account)
        && speaks_of_routing(text, at, account);
    pair.then(|| Hit::closed(Entity::AbaRouting, end).said_by("routing"))
}

fn is_routing(digits: &[u8]) -> bool {
    check::all_digits(digits) && check::aba(digits)
}

/// Whether a word in front of the pair, or the remark behind it, speaks of routing.
fn speaks_of_routing(text: &Text<'_>, start: usize, end: usize) -> bool {
    const WORDS: [&[u8]; 5] = [b"ach", b"aba", b"routing", b"wire", b"rtn"];
    let one_of = |word: &[u8]| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
    text.behind(start).split(|b| !b.is_ascii_alphabetic()).any(one_of)
        || text.starts_with(end, b" (routing")
        || text.starts_with(end, b" (aba")
}
