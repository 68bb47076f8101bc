use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

fn owner(user: usize) -> Arc<Owner> {
    Arc::new(Owner { issuer: "i".to_owned(), user: Some(format!("u{user}")), agent: "a".to_owned() })
}

fn tenant(number: usize) -> Tenant {
    Tenant::new(format!("t{number}")).unwrap()
}

fn mark(digest: u64) -> Mark {
    Mark { kind: Kind::Trace, digest }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * SECOND)
}

fn lead(session: &str) -> Lead {
    Lead::to(&Arc::from(session))
}

/// Whether the books add up and nothing is over its bound.
fn is_sound(index: &Index) -> bool {
    let within = |book: &Book| {
        book.order.len() <= MAX_MARKS
            && book.known.len() <= book.order.len()
            && book.known.values().all(|known| known.leads.len() <= MAX_LEADS)
    };
    index.books.len() <= MAX_TENANTS
        && index.all <= MAX_ALL
        && index.all == index.books.values().map(|book| book.order.len()).sum::<usize>()
        && index.books.values().all(within)
}

#[test]
fn a_flood_forgets_its_own_oldest_and_nothing_of_others() {
    let mut index = Index::default();
    index.keep(&tenant(1), &owner(0), mark(0), lead("kept"), at(0));
    for digest in 0..=MAX_MARKS as u64 {
        index.keep(&tenant(0), &owner(0), mark(digest), lead("s"), at(1));
    }
    assert!(is_sound(&index));
    assert_eq!(index.session(&tenant(0), &owner(0), mark(0), at(2)), None);
    assert!(index.session(&tenant(0), &owner(0), mark(1), at(2)).is_some());
    assert_eq!(index.session(&tenant(1), &owner(0), mark(0), at(2)).as_deref(), Some("kept"));
}

#[test]
fn many_tenants_share_what_there_is() {
    let mut index = Index::default();
    for number in 0..=MAX_TENANTS {
        let second = i64::try_from(number).unwrap();
        index.keep(&tenant(number), &owner(0), mark(0), lead("s"), at(second));
    }
    assert!(is_sound(&index));
    assert_eq!(index.session(&tenant(0), &owner(0), mark(0), at(9)), None);
    for number in 1..=5 {
        for digest in 0..MAX_MARKS as u64 {
            index.keep(&tenant(number), &owner(0), mark(digest), lead("s"), at(2_000));
        }
    }
    assert!(is_sound(&index) && index.all == MAX_ALL);
}

#[test]
fn a_mark_is_young_while_it_is_met_and_tells_nothing_of_too_many() {
    let mut index = Index::default();
    let mut keep = |digest, session: &str, second| {
        index.keep(&tenant(0), &owner(0), mark(digest), lead(session), at(second));
    };
    keep(1, "s", 0);
    keep(2, "s", 0);
    for minute in 1..=120 {
        keep(1, "s", minute * 61);
    }
    for number in 0..=MAX_LEADS {
        keep(3, &format!("s{number}"), 7_300);
    }
    keep(4, "s", 7_300);
    keep(4, "other", 7_300);
    let found = |digest, second| index.session(&tenant(0), &owner(0), mark(digest), at(second));
    assert_eq!((found(1, 7_400).is_some(), found(2, 7_400)), (true, None));
    assert_eq!((found(3, 7_400), found(4, 7_400)), (None, None));
    assert!(index.leads(&tenant(0), &owner(0), mark(3), at(7_400)).is_empty());
    assert_eq!(index.session(&tenant(0), &owner(0), mark(1), at(7_320 + 3_601)), None);
    // A clock that is set back makes nothing old.
    assert!(index.session(&tenant(0), &owner(0), mark(1), at(0)).is_some());
    assert!(is_sound(&index));
}

proptest! {
    #[test]
    fn what_is_found_was_left_there(
        steps in proptest::collection::vec((0..3_usize, 0..3_usize, 0..6_u64, 0..4_000_i64), 1..200),
    ) {
        let mut index = Index::default();
        let mut now = 0;
        for (tenant_no, user, digest, pause) in steps {
            now += pause;
            let session = format!("{tenant_no} {user}");
            index.keep(&tenant(tenant_no), &owner(user), mark(digest), lead(&session), at(now));
            prop_assert!(is_sound(&index));
            for (other_tenant, other_user) in (0..3).flat_map(|t| (0..3).map(move |u| (t, u))) {
                let found = index.session(&tenant(other_tenant), &owner(other_user), mark(digest), at(now));
                let own = format!("{other_tenant} {other_user}");
                prop_assert!(found.is_none_or(|session| *session == *own));
            }
        }
    }
}
