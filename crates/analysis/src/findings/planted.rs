//! What the rules find of anomalies planted in seeded traffic, and that they find nothing in a quiet month.

use std::collections::BTreeMap;

use crate::findings::{Detector, Finding, FindingKind};
use crate::testing::traffic::{Planted, Traffic};

fn findings(traffic: &Traffic) -> Vec<Finding> {
    let mut detector = Detector::new();
    (0..).zip(traffic.events()).for_each(|(index, event)| detector.add(index, &event));
    assert_eq!(detector.left_out(), 0);
    detector.findings()
}

/// Whether a finding is about somebody who took part in an anomaly, while it went on.
fn is_of(finding: &Finding, planted: &Planted) -> bool {
    let name = finding.agent_id.as_ref().or(finding.user.as_ref()).unwrap();
    planted.who.contains(name) && finding.since < planted.until && finding.until >= planted.since
}

#[test]
fn a_quiet_month_has_no_finding() {
    for seed in [1, 2, 3] {
        let found = findings(&Traffic::quiet(seed));
        let told: Vec<&str> = found.iter().map(|finding| finding.description.as_str()).collect();
        assert_eq!(told, Vec::<&str>::new(), "seed {seed}");
    }
}

#[test]
fn precision_and_recall() {
    let mut planted: BTreeMap<FindingKind, [usize; 2]> = BTreeMap::new();
    let (mut all, mut right) = (0, 0);
    let mut wrong = Vec::new();
    for seed in [11, 12] {
        let traffic = Traffic::planted(seed);
        let found = findings(&traffic);
        for anomaly in &traffic.planted {
            let [planted, caught] = planted.entry(anomaly.kind).or_default();
            *planted += 1;
            let hit = |finding: &&Finding| finding.kind == anomaly.kind && is_of(finding, anomaly);
            *caught += usize::from(found.iter().any(|finding| hit(&finding)));
        }
        let (of_any, of_none): (Vec<&Finding>, Vec<&Finding>) =
            found.iter().partition(|finding| traffic.planted.iter().any(|planted| is_of(finding, planted)));
        all += found.len();
        right += of_any.len();
        wrong.extend(of_none.iter().map(|finding| finding.description.clone()));
    }
    let lines = planted
        .iter()
        .map(|(kind, [planted, caught])| format!("{:<18} {caught:>2} of {planted:>2}", kind.as_str()));
    let mut lines: Vec<String> = lines.collect();
    let (planted, caught) = planted.values().fold((0, 0), |sum, [p, c]| (sum.0 + p, sum.1 + c));
    lines.push(format!("recall {:.3}: {caught} of {planted}", caught as f64 / planted as f64));
    lines.push(format!("precision {:.3}: {right} of {all} findings", right as f64 / all as f64));
    lines.extend(wrong);
    insta::assert_snapshot!(lines.join("\n"), @"
    rapid_actions       7 of  8
    high_failure_rate   6 of  8
    permission_issues   5 of  8
    unusual_rate        7 of  8
    unusual_volume      8 of  8
    unusual_cost        6 of  8
    unusual_denials     7 of  8
    unusual_hours       6 of  8
    bulk_reads          8 of  8
    first_use           8 of  8
    unusual_sequence    8 of  8
    recall 0.864: 76 of 88
    precision 1.000: 173 of 173 findings
    ");
}
