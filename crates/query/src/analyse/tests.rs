use greffier_analysis::{ActivityCounter, Detector, Finding, ReportCounter};
use greffier_event::Event;

use super::*;
use crate::Limits;
use crate::testing::{SHAPES, Shape, batch, block_on, events, view};

/// What the columns tell and what the entries tell is one, wherever they are.
fn check(subject: &Subject, since: Option<&str>, until: Option<&str>) {
    let time = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    let period = Period { since: time(since), until: time(until) };
    let mut expected = ActivityCounter::new(subject.clone(), period.since, period.until);
    events(&batch()).iter().for_each(|event| expected.add(event));
    let expected = expected.finish();
    assert!(expected.total_events > 0, "it counts nothing, and tests nothing");
    for shape in SHAPES {
        let (view, _dir) = view(shape, &Limits::default());
        let view = Arc::new(view);
        let told = block_on(async { activity(&view, subject, period).await.unwrap() });
        assert_eq!(told, expected, "{shape:?} {subject:?}");
    }
}

#[test]
fn activity_from_columns() {
    check(&Subject::Agent("billing".to_owned()), None, None);
    check(&Subject::User("Ägnes".to_owned()), None, None);
    check(&Subject::User("a%b".to_owned()), None, None);
    check(&Subject::Tool("chat".to_owned()), None, None);
    check(&Subject::Tenant("acme".to_owned()), None, None);
    check(&Subject::Tenant("acme".to_owned()), Some("2026-03-02T00:00:00Z"), Some("2026-03-03T00:30:00Z"));
}

#[test]
fn a_report_from_columns() {
    let check = |since: &str, until: &str| {
        let (since, until) = (since.parse().unwrap(), until.parse().unwrap());
        let mut expected = ReportCounter::new(since, until);
        events(&batch()).iter().for_each(|event| expected.add(event));
        let expected = expected.finish();
        assert!(expected.total_events > 0, "it counts nothing, and tests nothing");
        for shape in SHAPES {
            let (view, _dir) = view(shape, &Limits::default());
            let view = Arc::new(view);
            let told = block_on(async { report(&view, since, until).await.unwrap() });
            assert_eq!(told, expected, "{shape:?}");
        }
    };
    check("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    check("2026-03-02T00:00:00Z", "2026-03-03T00:30:00Z");
}

fn findings(events: &[Event]) -> Vec<Finding> {
    let mut detector = Detector::new();
    (0..).zip(events).for_each(|(index, event)| detector.add(index, event));
    detector.findings()
}

#[test]
fn findings_from_columns() {
    let expected = findings(&events(&batch()));
    assert_ne!(expected, [], "it finds nothing, and tests nothing");
    for shape in SHAPES {
        let (view, _dir) = view(shape, &Limits::default());
        let (view, detector) = (Arc::new(view), Mutex::new(Detector::new()));
        assert!(!block_on(async { observe(&view, &detector).await.unwrap() }), "there is no more");
        assert_eq!(detector.into_inner().unwrap().findings(), expected, "{shape:?}");
    }
}

#[test]
fn pieces_lie_in_one_segment_each() {
    let (view, _dir) = view(Shape::Mixed, &Limits::default());
    assert_eq!(pieces(&view, std::iter::once(0..300).collect()), [0..128, 128..200, 200..300]);
    assert_eq!(pieces(&view, vec![5..128, 190..210]), [5..128, 190..200, 200..210]);
}
