//! The query string of a request: only what the route's row names, each once.

use greffier_event::Timestamp;
use greffier_query::read_time;
use percent_encoding::percent_decode_str;

use crate::refuse::Refused;
use crate::route::Route;

/// Longest search; SQL comes as a body and has its own bound.
const MAX_QUERY: usize = 16 * 1024;

/// Parameters, decoded.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string; unknown and repeated names are refused, so that a misspelt filter is never ignored.
    pub(crate) fn parse(query: Option<&str>, route: &Route) -> Result<Params, Refused> {
        let mut params: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !route.params.iter().any(|(known, _)| *known == name) {
                return Err(unknown(&name, route));
            }
            if params.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Refused::bad_parameter(format!("the parameter `{name}` is there twice")));
            }
            params.push((name, value));
        }
        Ok(Params(params))
    }

    /// A parameter that is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The search; everything, where there is none.
    pub(crate) fn query(&self) -> Result<&str, Refused> {
        let query = self.text("q").unwrap_or_default();
        if query.len() > MAX_QUERY {
            return Err(Refused::bad_parameter(format!("`q` has more than {MAX_QUERY} bytes")));
        }
        Ok(query)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Refused> {
        match self.text(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Refused::bad_parameter(format!("`{name}` must be true or false"))),
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refused> {
        let wrong = |_| Refused::bad_parameter(format!("`{name}` must be a whole number"));
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// A time: RFC 3339, a date, how long ago, or a word for one; of what is longer its first instant, in UTC.
    pub(crate) fn time(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Refused> {
        let wrong = || {
            Refused::bad_parameter(format!("`{name}` is not a time"))
                .hint("as in 2026-03-01, 2026-03-01T09:00:00Z, 7d, 24h, yesterday or last-month")
        };
        self.text(name).map(|text| read_time(text, now).ok_or_else(wrong)).transpose()
    }
}

/// `application/x-www-form-urlencoded`, as browsers and `curl --data-urlencode` write it.
fn decoded(text: &str) -> Result<String, Refused> {
    let spaced = text.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    text.map(|text| text.into_owned())
        .map_err(|_| Refused::bad_parameter("the query string is not percent-encoded UTF-8"))
}

fn unknown(name: &str, route: &Route) -> Refused {
    // Only a short name is repeated: it is the caller's.
    let shown: String = name.chars().filter(|c| !c.is_control()).take(32).collect();
    let refused = Refused::bad_parameter(format!("there is no parameter `{shown}` here"));
    let near = |(known, _): &&(&'static str, &str)| strsim::jaro_winkler(known, name) > 0.8;
    match route.params.iter().find(near) {
        Some((known, _)) => refused.hint(format!("did you mean `{known}`?")),
        None if route.params.is_empty() => refused,
        None => {
            let known: Vec<&str> = route.params.iter().map(|(known, _)| *known).collect();
            refused.hint(format!("known are {}", known.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::*;
    use crate::route::find;

    fn check(query: &str) -> String {
        let route = find(&Method::GET, "/api/v1/events").ok().unwrap().route;
        match Params::parse(Some(query), route) {
            Ok(params) => format!("{params:?}"),
            Err(refused) => format!("{refused:?}"),
        }
    }

    #[test]
    fn only_named_parameters_once() {
        insta::assert_snapshot!(check(""), @"Params([])");
        insta::assert_snapshot!(
            check("q=user%3Aalice+tool:crm&limit=5"), @r#"Params([("q", "user:alice tool:crm"), ("limit", "5")])"#);
        assert!(check("limt=5").contains("did you mean `limit`?"));
        assert!(check("x-tenant=other").contains("did you mean `tenant`?"));
        assert!(check("q=a&q=b").contains("twice"));
        assert!(check("q=%ff").contains("UTF-8"));
    }

    #[test]
    fn times() {
        let now: Timestamp = "2026-03-06T14:32:07Z".parse().unwrap();
        let check = |text: &str| {
            let params = Params(vec![("since".to_owned(), text.to_owned())]);
            params.time("since", now).map(|time| time.map(|time| time.to_string())).map_err(|e| e.code)
        };
        assert_eq!(check("7d"), Ok(Some("2026-02-27T14:32:07.000000Z".to_owned())));
        assert_eq!(check("30m"), Ok(Some("2026-03-06T14:02:07.000000Z".to_owned())));
        assert_eq!(check("2026-03-01"), Ok(Some("2026-03-01T00:00:00.000000Z".to_owned())));
        assert_eq!(check("2026-03-01T09:00:00+01:00"), Ok(Some("2026-03-01T08:00:00.000000Z".to_owned())));
        assert_eq!(check(""), Ok(None));
        assert_eq!(check("yesterday"), Ok(Some("2026-03-05T00:00:00.000000Z".to_owned())));
        for bad in ["d", "-1d", "99999999999999999d", "yesteday", "é"] {
            assert_eq!(check(bad), Err("bad_parameter"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_value_comes_back(value: String) {
            let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            let route = find(&Method::GET, "/api/v1/events").ok().unwrap().route;
            let params = Params::parse(Some(&format!("q={encoded}")), route).unwrap();
            prop_assert_eq!(params.text("q").unwrap_or_default(), value);
        }
    }
}
