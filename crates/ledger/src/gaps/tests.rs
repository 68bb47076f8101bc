use super::*;
use crate::append::Submission;
use crate::ledger::{Ledger, LedgerConfig};
use crate::testing::{plain, seal_by_count};
use crate::{AppendError, KeyRing};

fn trail(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

#[test]
fn trails_owe_apart_and_in_any_case() {
    let gaps = Gaps::default();
    let (acme, beta) = (trail("acme"), trail("beta"));
    assert!(!gaps.owes(&acme));
    gaps.owe(&acme);
    gaps.clone().owe(&acme);
    assert!(gaps.owes(&trail("ACME")) && !gaps.owes(&beta));
    gaps.owe(&beta);
    gaps.paid(&acme);
    assert!(!gaps.owes(&acme) && gaps.owes(&beta));
    gaps.paid(&beta);
    gaps.paid(&beta);
    assert!(!gaps.owes(&beta));
}

#[tokio::test]
async fn an_owing_trail_takes_nothing_but_its_gap() {
    let dir = tempfile::tempdir().unwrap();
    KeyRing::create(&dir.path().join("keys")).unwrap();
    let (ledger, _startup) = Ledger::start(LedgerConfig {
        dir: dir.path().join("data"),
        keys_dir: dir.path().join("keys"),
        origin: "test.local".to_owned(),
        node: "node-1".to_owned(),
        seal: seal_by_count(65_536),
    })
    .unwrap();
    let appender = ledger.appender();
    // One of them owes it: all of them know.
    ledger.appender().gaps().owe(&trail("acme"));
    let submission = |n| Submission { draft: Box::new(plain("acme", n)), digest: [7; 32] };
    for error in [
        appender.append(plain("acme", 1)).await.unwrap_err(),
        appender.submit(vec![submission(2)]).await.remove(0).unwrap_err(),
    ] {
        assert!(matches!(error, AppendError::NotRecording(_)) && error.is_unavailable(), "{error}");
    }
    assert_eq!(appender.append(plain("beta", 3)).await.unwrap().index, 0);
    assert_eq!(appender.append_gap(plain("acme", 4)).await.unwrap().index, 0);
    assert!(appender.append(plain("acme", 5)).await.is_err(), "a gap may take several events");
    appender.gaps().paid(&trail("acme"));
    assert_eq!(appender.append(plain("acme", 6)).await.unwrap().index, 1);
    assert_eq!(appender.submit(vec![submission(7)]).await.remove(0).unwrap().receipt.index, 2);
    ledger.close().unwrap();
}
