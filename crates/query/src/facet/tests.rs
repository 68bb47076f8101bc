use std::collections::BTreeMap;

use greffier_event::Event;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::Limits;
use crate::search::oracle::matches;
use crate::search::tests::terms;
use crate::testing::{SHAPES, Shape, batch, events, now, view};

fn search(text: &str) -> Search {
    Search::parse(text, now()).unwrap()
}

fn by(fields: &[&str], per: &str, limit: usize) -> CountBy {
    let fields = fields.iter().map(|name| FacetField::parse(name).unwrap()).collect();
    CountBy { fields, limit, per: Per::parse(per) }
}

/// What a person would read.
async fn check(text: &str, by: CountBy) -> String {
    let (view, _dir) = view(Shape::Mixed, &Limits::default());
    let counts = match counts(&view, &search(text), &by).await {
        Ok(counts) => counts,
        Err(error) => return format!("{}: {error}", error.code()),
    };
    let mut lines = vec![format!("{} events, {} denied", counts.total.events, counts.total.denied)];
    for facet in counts.facets {
        lines.push(format!(
            "{}: {} values, {} in others, {} without",
            facet.name, facet.distinct, facet.other, facet.missing.events
        ));
        lines.extend(
            facet.values.iter().map(|(value, count)| format!("  {value} {} {}", count.events, count.denied)),
        );
    }
    lines.extend(counts.histogram.iter().map(|(time, count)| format!("  {time} {}", count.events)));
    lines.join("\n")
}

#[tokio::test]
async fn counts_by_values_and_time() {
    insta::assert_snapshot!(check("user:alice", by(&["tool", "role", "code", "pii"], "", 3)).await);
    insta::assert_snapshot!(check("since:2d -tool:chat", by(&[], "day", 0)).await);
    insta::assert_snapshot!(check("on:2026-03-03 user:bob tz:+05:30", by(&[], "6h", 0)).await);
    insta::assert_snapshot!(check("", by(&["link", "verified", "tokens", "cost", "duration"], "", 2)).await);
    insta::assert_snapshot!(check("user:nobody", by(&["user"], "hour", 5)).await, @r"
    0 events, 0 denied
    user: 0 values, 0 in others, 0 without
    ");
    insta::assert_snapshot!(check("", by(&[], "1s", 0)).await, @"too_large: a histogram has 10080 steps at most: choose longer ones, or a shorter period");
    insta::assert_snapshot!(check("content:secret", by(&[], "day", 0)).await, @"search_syntax: contents are searched only with the keys that open them: --keys names their folder (at byte 0)");
}

#[test]
fn says_what_is_not_counted_by() {
    let check = |name: &str| {
        FacetField::parse(name).map(|field| field.name).unwrap_or_else(|error| panic!("{error}"))
    };
    assert_eq!((check("user"), check("action"), check("verified")), ("user", "action", "verified"));
    insta::assert_snapshot!(FacetField::parse("usr").unwrap_err(), @"there is no field `usr`, did you mean `user`?");
    for over_time in ["time", "recorded", "since", "day", "1h"] {
        let said = FacetField::parse(over_time).unwrap_err();
        assert_eq!(
            said,
            format!(
                "`{over_time}` is not counted by: events are counted over time in steps, by `per` (`--per day`)"
            )
        );
    }
    insta::assert_snapshot!(FacetField::parse("content").unwrap_err(), @"there is no field `content`");
    for wrong in ["", "7m", "5d", "0s", "1", "h", "fortnight"] {
        assert_eq!(Per::parse(wrong), None, "{wrong}");
    }
}

/// The values of an event, said a second time.
fn told(name: &str, event: &Event) -> Vec<Value> {
    let text = |text: Option<&str>| text.map(Value::from).into_iter().collect();
    match name {
        "user" => text(event.user.as_ref().map(|user| user.sub.as_str())),
        "tool" => text(event.action.as_ref().map(|action| action.name.as_str())),
        "role" => {
            let mut roles = event.user.as_ref().map(|user| user.roles.clone()).unwrap_or_default();
            roles.sort();
            roles.dedup();
            roles.into_iter().map(Value::from).collect()
        }
        "code" => {
            event.outcome.as_ref().and_then(|outcome| outcome.code).map(Value::from).into_iter().collect()
        }
        "pii" => {
            event.content_safety.as_ref().map(|safety| Value::from(safety.pii_detected)).into_iter().collect()
        }
        "link" => text(event.session_link.map(|link| link.as_str())),
        "verified" => {
            let (user, agent) = (event.user.as_ref(), event.agent.as_ref());
            let verified = user.map(|user| user.verified).or(agent.map(|agent| agent.verified));
            verified.map(Value::from).into_iter().collect()
        }
        "tokens" => {
            let usage = event.usage.as_ref();
            let counted =
                usage.map(|usage| (usage.input_tokens, usage.output_tokens)).filter(|of| *of != (None, None));
            counted
                .map(|(input, output)| Value::from(input.unwrap_or(0) + output.unwrap_or(0)))
                .into_iter()
                .collect()
        }
        "cost" => {
            let dollars = |micros: u64| format!("{:.6}", micros as f64 / 1e6);
            let short = |text: String| text.trim_end_matches('0').trim_end_matches('.').to_owned();
            let cost = event.usage.as_ref().and_then(|usage| usage.cost_micros);
            cost.map(|micros| Value::from(short(dollars(micros)))).into_iter().collect()
        }
        other => panic!("no test asks for {other}"),
    }
}

const TOLD: [&str; 9] = ["user", "tool", "role", "code", "pii", "link", "verified", "tokens", "cost"];

/// Counted one by one, whatever way events are stored and read.
#[test]
fn agrees_with_counting_one_by_one() {
    let events = events(&batch());
    let limits = |pushdown| Limits { pushdown, ..Limits::default() };
    let views: Vec<_> =
        SHAPES.into_iter().flat_map(|shape| [true, false].map(|on| view(shape, &limits(on)))).collect();
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    proptest!(config, |(text in terms())| {
        let search = search(&text);
        let found: Vec<&Event> =
            (0..).zip(&events).filter(|(index, event)| matches(&search, *index, event)).map(|(_, event)| event).collect();
        for (view, _) in &views {
            let counts = runtime.block_on(counts(view, &search, &by(&TOLD, "day", 1_000))).unwrap();
            prop_assert_eq!(counts.total.events, found.len() as u64, "{}", text);
            prop_assert_eq!(counts.total.first, found.iter().map(|event| event.time).min());
            prop_assert_eq!(counts.total.last, found.iter().map(|event| event.time).max());
            for facet in &counts.facets {
                let mut expected: BTreeMap<String, u64> = BTreeMap::new();
                for event in &found {
                    told(facet.name, event).into_iter().for_each(|value| *expected.entry(value.to_string()).or_default() += 1);
                }
                let got: BTreeMap<String, u64> =
                    facet.values.iter().map(|(value, count)| (value.to_string(), count.events)).collect();
                prop_assert_eq!(&got, &expected, "{} by {}", text, facet.name);
                let without = found.iter().filter(|event| told(facet.name, event).is_empty()).count();
                prop_assert_eq!(facet.missing.events, without as u64);
                prop_assert!(facet.values.is_sorted_by_key(|(_, count)| std::cmp::Reverse(count.events)));
            }
            let steps = || counts.histogram.iter().map(|(_, count)| count);
            prop_assert_eq!(steps().map(|step| step.events).sum::<u64>(), counts.total.events, "{}", text);
            prop_assert_eq!(steps().map(|step| step.denied).sum::<u64>(), counts.total.denied, "{}", text);
            prop_assert_eq!(steps().filter_map(|step| step.first).min(), counts.total.first);
            prop_assert_eq!(steps().filter_map(|step| step.last).max(), counts.total.last);
            let day = 86_400_000_000;
            prop_assert!(counts.histogram.windows(2).all(|two| two[1].0.as_micros() - two[0].0.as_micros() == day));
        }
    });
}

/// What is left out of a list is still counted.
#[tokio::test]
async fn the_rest_is_counted_together() {
    let (view, _dir) = view(Shape::Hot, &Limits::default());
    let all = counts(&view, &search("has:user"), &by(&["user"], "", 100)).await.unwrap();
    let some = counts(&view, &search("has:user"), &by(&["user"], "", 2)).await.unwrap();
    let (all, some) = (&all.facets[0], &some.facets[0]);
    assert_eq!((some.values.as_slice(), some.distinct), (&all.values[..2], all.distinct));
    assert_eq!(some.other, all.values[2..].iter().map(|(_, count)| count.events).sum::<u64>());
}
