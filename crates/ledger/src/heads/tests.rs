use super::*;

fn terms(require: Require) -> Terms {
    Terms { witnesses: 3, quorum: 2, stale_after: Duration::from_secs(600), require }
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

#[tokio::test]
async fn a_waiter_is_woken_at_its_level_and_no_sooner() {
    let heads = Heads::new(Some(terms(Require::None)));
    let acme = tenant("acme");
    heads.signed("acme", 3, [0; 32], "note", 10);
    assert_eq!([2, 3].map(|index| heads.level(&acme, index)), [Level::Integrated, Level::Durable]);
    heads.reach(&acme, 2, Level::Integrated).await.unwrap();
    let waiting = {
        let (heads, acme) = (heads.clone(), acme.clone());
        tokio::spawn(async move { heads.reach(&acme, 4, Level::Witnessed).await })
    };
    // Other trails, lower levels and smaller trees do not end the wait.
    for end in [false, false, false, true] {
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        match end {
            false => heads.signed("acme", 5, [0; 32], "note", 11),
            true => heads.cosigned("acme", 5, 12, 12),
        }
        heads.cosigned("zeta", 9, 12, 12);
    }
    waiting.await.unwrap().unwrap();
    assert_eq!(heads.level(&acme, 4), Level::Witnessed);
    assert_eq!(Heads::new(None).reach(&acme, 0, Level::Witnessed).await, Err(NoWitnesses));
}

#[test]
fn unanchored_says_why() {
    let said = |heads: &Heads, now| match heads.anchoring(now) {
        Anchoring::Anchored { age } => format!("{age} s"),
        Anchoring::Unanchored { reason } => reason,
    };
    let heads = Heads::new(Some(terms(Require::None)));
    let mut lines = vec![said(&Heads::new(None), 0), said(&heads, 0)];
    heads.signed(Tenant::NODE, 4, [0; 32], "note", 1_000);
    heads.signed("acme", 4, [0; 32], "note", 1_000);
    heads.cosigned(Tenant::NODE, 4, 1_000, 1_001);
    heads.cosigned("acme", 4, 1_000, 1_001);
    lines.push(said(&heads, 1_600));
    lines.push(said(&heads, 1_601));
    // Recent cosignatures of the node's trail do not cover for a trail whose entries nobody cosigns.
    heads.signed("acme", 5, [0; 32], "note", 1_100);
    heads.signed("acme", 6, [0; 32], "note", 1_650);
    heads.cosigned(Tenant::NODE, 4, 1_700, 1_700);
    lines.push(said(&heads, 1_700));
    lines.push(said(&heads, 1_701));
    // A part of what waited is cosigned: the rest waits anew.
    heads.cosigned("acme", 5, 1_701, 1_701);
    lines.push(said(&heads, 1_701));
    insta::assert_snapshot!(lines.join("\n"), @"
    no witness is configured
    2 of 3 witnesses have not cosigned yet
    600 s
    the newest cosignatures are 601 s old
    0 s
    1 trails wait for cosignatures for more than 600 s
    1 s
    ");
}

#[test]
fn trails_may_require_witnesses() {
    let check = |require: Require| {
        let heads = Heads::new(Some(terms(require)));
        ["acme", "zeta"].map(|name| heads.requires_witnesses(&tenant(name)))
    };
    assert_eq!(check(Require::None), [false, false]);
    assert_eq!(check(Require::All), [true, true]);
    assert_eq!(check(Require::Trails(BTreeSet::from(["zeta".to_owned()]))), [false, true]);
    assert!(!Heads::new(None).requires_witnesses(&tenant("acme")));
    for level in Level::ALL {
        assert_eq!(Level::parse(level.name()), Some(level));
    }
    assert_eq!(Level::parse("Durable"), None);
}
