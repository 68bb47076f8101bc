//! Lists of what a server offers, cut down to what the caller may use.

use std::ops::Range;

use super::rpc::Members;
use crate::adapt::view::{View, splice};

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tools,
    Resources,
    Templates,
    Prompts,
}

impl Kind {
    /// The list that a method answers with.
    pub(crate) fn of(method: &str) -> Option<Kind> {
        Some(match method {
            "tools/list" => Kind::Tools,
            "resources/list" => Kind::Resources,
            "resources/templates/list" => Kind::Templates,
            "prompts/list" => Kind::Prompts,
            _ => return None,
        })
    }

    fn member(self) -> &'static str {
        match self {
            Kind::Tools => "tools",
            Kind::Resources => "resources",
            Kind::Templates => "resourceTemplates",
            Kind::Prompts => "prompts",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Tools | Kind::Prompts => "name",
            Kind::Resources => "uri",
            Kind::Templates => "uriTemplate",
        }
    }
}

/// One thing on a list.
#[derive(Clone, Debug)]
pub(crate) struct Offer<'a> {
    /// How it is asked for.
    pub(crate) name: String,
    /// Its definition, as it was written.
    pub(crate) text: &'a str,
    span: Range<usize>,
}

/// What a result lists; `None` if it is not the list that was asked for, or could be read in two ways.
pub(crate) fn offers(kind: Kind, result: &str) -> Option<Vec<Offer<'_>>> {
    let whole = View::parse(result).ok()?;
    let list = Members::of(whole, &[kind.member(), "cacheScope"])?.get(kind.member())?;
    if !list.is_array() {
        return None;
    }
    list.items()
        .into_iter()
        .map(|item| {
            let name = Members::of(item, &[kind.name()])?.get(kind.name())?.string()?;
            Some(Offer { name, text: item.text(), span: item.span_in(result) })
        })
        .collect()
}

/// The list with only the offers that stay, in which every other byte is as it was; it says that it is nobody else's.
pub(crate) fn keep(result: &str, offers: &[Offer<'_>], stays: &[bool]) -> String {
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    let mut kept_before = false;
    for (index, (offer, stays)) in offers.iter().zip(stays).enumerate() {
        if *stays {
            kept_before = true;
            continue;
        }
        // The comma goes too: the one before, or, where nothing stays before, the one behind.
        let next = offers.get(index + 1).map(|next| next.span.start);
        let before = index.checked_sub(1).and_then(|index| offers.get(index)).map(|before| before.span.end);
        let range = match (kept_before, before, next) {
            (true, Some(before), _) => before..offer.span.end,
            (_, _, Some(next)) => offer.span.start..next,
            _ => offer.span.clone(),
        };
        edits.push((range, ""));
    }
    let scope = View::parse(result).ok().and_then(|whole| whole.get("cacheScope"));
    if let Some(scope) = scope {
        let edit = (scope.span_in(result), "\"private\"");
        let at = edits.partition_point(|(range, _)| range.start < edit.0.start);
        edits.insert(at, edit);
    }
    splice(result, edits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_not_be_used_is_not_listed() {
        let text = r#"{ "cacheScope":"public", "tools" : [ {"name":"a"} , {"name":"b","x":[1]},{"name":"c"} ], "nextCursor":"2"}"#;
        let check = |stays: [bool; 3]| {
            let offers = offers(Kind::Tools, text).unwrap();
            keep(text, &offers, &stays)
        };
        let rows = [[true; 3], [true, false, true], [false, true, false], [false, false, true], [false; 3]];
        insta::assert_snapshot!(rows.map(check).join("\n"), @r#"
        { "cacheScope":"private", "tools" : [ {"name":"a"} , {"name":"b","x":[1]},{"name":"c"} ], "nextCursor":"2"}
        { "cacheScope":"private", "tools" : [ {"name":"a"},{"name":"c"} ], "nextCursor":"2"}
        { "cacheScope":"private", "tools" : [ {"name":"b","x":[1]} ], "nextCursor":"2"}
        { "cacheScope":"private", "tools" : [ {"name":"c"} ], "nextCursor":"2"}
        { "cacheScope":"private", "tools" : [  ], "nextCursor":"2"}
        "#);
    }

    #[test]
    fn what_is_no_list_is_none() {
        for text in [
            "{}",
            r#"{"tools":{}}"#,
            r#"{"tools":[{}]}"#,
            r#"{"tools":[{"name":1}]}"#,
            r#"{"tools":[],"tools":[{"name":"x"}]}"#,
            r#"{"tools":[],"Tools":[{"name":"x"}]}"#,
            r#"{"tools":[{"name":"x","name":"y"}]}"#,
        ] {
            assert!(offers(Kind::Tools, text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_stays_is_what_was_chosen(rows in proptest::collection::vec(("[a-z]{1,4}", any::<bool>(), " {0,2}"), 0..8)) {
            let items: Vec<String> = rows.iter().map(|(name, _, space)| format!("{space}{{\"uri\":\"{name}\"}}{space}")).collect();
            let text = format!("{{\"resources\":[{}],\"a\":1}}", items.join(","));
            let found = offers(Kind::Resources, &text).unwrap();
            let stays: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let kept = keep(&text, &found, &stays);
            let names: Vec<String> = offers(Kind::Resources, &kept).unwrap().into_iter().map(|offer| offer.name).collect();
            let expected: Vec<String> = rows.into_iter().filter(|row| row.1).map(|row| row.0).collect();
            prop_assert_eq!(names, expected);
        }
    }
}
