//! Every route in one table: method, path, who may, what it takes and gives. The OpenAPI document is made of the
//! same table, and parameters that it does not name are refused, so that neither can drift from the other.

use greffier_policy::AdminAction;
use http::Method;
use percent_encoding::percent_decode_str;

use crate::judge::Word;
use crate::otlp::{PROTOBUF, Signal};
use crate::respond::{ARROW, BINARY, CSV, HTML, JSON, NDJSON, PARQUET, SSE, TEXT, ZIP};
use crate::visit::Access;

/// What is done at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Ingest,
    Events,
    Facets,
    Export,
    Evidence,
    Event,
    Call,
    Session,
    Sql,
    Activity,
    Findings,
    Judge(Word),
    Producers,
    Report,
    Attest,
    Proof,
    Tail,
    Trails,
    Checkpoint,
    Entries,
    Tile,
    Erase,
    Erasures,
    Erasure,
    EraseApprove,
    EraseDeny,
    Hold,
    Holds,
    Release,
    Subjects,
    Otlp(Signal),
    OpenApi,
}

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anyone.
    Anyone,
    /// A verified caller whom the policies let do this to the trail.
    May(AdminAction),
}

/// One row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// `{name}` stands for one segment, `{name...}` for the rest of the path.
    pub(crate) path: &'static str,
    pub(crate) who: Who,
    pub(crate) endpoint: Endpoint,
    pub(crate) summary: &'static str,
    /// Parameters of the query string, each with what it means.
    pub(crate) params: &'static [(&'static str, &'static str)],
    /// Media types that it takes.
    pub(crate) takes: &'static [&'static str],
    /// Media types that it gives; the first one unless the caller asks for another.
    pub(crate) gives: &'static [&'static str],
}

const Q: (&str, &str) = (
    "q",
    "A search, as in `user:alice tool:crm:* decision:deny since:7d`. Words are looked for in contents, too, where \
     `contents_searched` says so; `text:` looks at the events alone.",
);
const TENANT: (&str, &str) = ("tenant", "The caller's own tenant, or `greffier` for the node's trail.");
const SINCE: (&str, &str) =
    ("since", "From this time on: RFC 3339, a date, or as in `7d`, `24h`, `yesterday`, `last-month`.");
const UNTIL: (&str, &str) =
    ("until", "Before this time: RFC 3339, a date, or as in `7d`, `24h`, `today`, `this-month`.");
const FROM: (&str, &str) =
    ("from", "The first day of the period, or its first instant (RFC 3339); required.");
const TO: (&str, &str) = ("to", "The first day after the period, or its first instant (RFC 3339); required.");
const TZ: (&str, &str) = ("tz", "The time zone in which days begin, as in `Europe/Berlin`; UTC by default.");
const PARTS: (&str, &str) = ("parts", "`false` leaves the contents out.");

const READ: Who = Who::May(AdminAction::ReadTrail);

/// The table. Where two paths fit, the first row wins.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/api/v1/events",
        who: Who::May(AdminAction::Ingest),
        endpoint: Endpoint::Ingest,
        summary: "Add events: one, a JSON array, or one per line; in native, flat or governed form.",
        params: &[
            ("channel", "How they reached us: `sdk` (default) or `import`."),
            (
                "level",
                "Answer when the receipts are `durable` (default), `integrated` or `witnessed`, or after 20 s.",
            ),
        ],
        takes: &[JSON, NDJSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/events",
        who: READ,
        endpoint: Endpoint::Events,
        summary: "Search, newest entry first.",
        params: &[
            Q,
            ("limit", "Events per page, 1 to 1000, 100 by default."),
            ("cursor", "`next` of the page before, with the same `q`."),
            ("format", "`native` (default), `flat` or `governed`."),
            ("receipts", "`true` adds the place and the leaf hash of each event."),
            ("parts", "`true` adds the contents; a page ends where it holds 8 MiB of them."),
            TENANT,
        ],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/facets",
        who: READ,
        endpoint: Endpoint::Facets,
        summary: "How many events a search finds, by the values of fields and over time.",
        params: &[
            Q,
            ("by", "Fields of a search, with commas between, as in `user,tool,decision`."),
            ("limit", "Values of each field, 1 to 10000, 20 by default; the most frequent come first."),
            (
                "per",
                "A histogram in steps of a `minute`, `hour`, `day`, `week`, `month`, `quarter`, `year`, or as in `5m`; \
                 days are those of the zone that `tz:` in `q` names.",
            ),
            TENANT,
        ],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/export",
        who: Who::May(AdminAction::ExportTrail),
        endpoint: Endpoint::Export,
        summary: "All that a search finds, oldest entry first, one per line.",
        params: &[
            Q,
            ("format", "`native` (default), `flat`, `governed`, `csv`, `ocsf`, `cef`, `aat` or `parquet`."),
            ("parts", "`true` adds the contents, in the first three."),
            ("after", "Go on behind the export before: its `greffier-export-next`, or an index."),
            TENANT,
        ],
        takes: &[],
        gives: &[NDJSON, CSV, TEXT, PARQUET],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/evidence",
        who: Who::May(AdminAction::ExportTrail),
        endpoint: Endpoint::Evidence,
        summary: "An evidence pack of what a search finds: entries, chosen contents, proofs, for others to verify offline.",
        params: &[
            Q,
            ("parts", "The contents that are shown: `all`, or names with commas between; none by default."),
            ("range", "`first-last`: leaves out nothing between these indexes."),
            ("whole_range", "`true` leaves out nothing between the first and the last that was found."),
            ("in_full", "`true` shows what was not found and completes the range; otherwise it is withheld."),
            (
                "report",
                "Instead of a search: this standard's report of a period, with the proofs of its samples.",
            ),
            ("from", "The report's period: its first day, or first instant."),
            ("to", "The first day after it, or its first instant."),
            TZ,
            ("user", "The report's person, as in a report."),
            ("subject", "The report's person, as in a report."),
            TENANT,
        ],
        takes: &[],
        gives: &[ZIP],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/events/{id}",
        who: READ,
        endpoint: Endpoint::Event,
        summary: "One event with its contents.",
        params: &[PARTS, TENANT],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/calls/{request_id}",
        who: READ,
        endpoint: Endpoint::Call,
        summary: "One governed call: its decision and its outcome.",
        params: &[PARTS, TENANT],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/sessions/{id}",
        who: READ,
        endpoint: Endpoint::Session,
        summary: "The chain of one session: its calls as a tree with what they come to, and its events, in order of time.",
        params: &[PARTS, TENANT],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/sql",
        who: READ,
        endpoint: Endpoint::Sql,
        summary: "Read-only SQL over the trail, as JSON or as an Arrow stream.",
        params: &[TENANT],
        takes: &[JSON, TEXT, "application/sql"],
        gives: &[JSON, ARROW],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/activity",
        who: READ,
        endpoint: Endpoint::Activity,
        summary: "What an agent, a user, a tool or all of a tenant did, and whether witnesses vouch for it.",
        params: &[
            ("agent", "Of this agent, by its id."),
            ("user", "For this user, by `sub`."),
            ("tool", "With this tool or model: the action's name."),
            SINCE,
            UNTIL,
            TENANT,
        ],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/findings",
        who: READ,
        endpoint: Endpoint::Findings,
        summary: "What is unusual, and whether witnesses vouch for it.",
        params: &[("agent", "Only this agent."), ("user", "Only this user."), SINCE, UNTIL, TENANT],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/findings/{id}/acknowledge",
        who: Who::May(AdminAction::Approve),
        endpoint: Endpoint::Judge(Word::Acknowledge),
        summary: "Say that a finding was seen, and why it may stand.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/findings/{id}/mute",
        who: Who::May(AdminAction::Approve),
        endpoint: Endpoint::Judge(Word::Mute),
        summary: "Hear no more of a finding's rule about its agent or user, and say why.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/findings/{id}/unmute",
        who: Who::May(AdminAction::Approve),
        endpoint: Endpoint::Judge(Word::Unmute),
        summary: "End a mute, and say why.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/producers",
        who: READ,
        endpoint: Endpoint::Producers,
        summary: "Which events are missing of producers that number theirs.",
        params: &[SINCE, UNTIL, TENANT],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/reports/{standard}",
        who: READ,
        endpoint: Endpoint::Report,
        summary: "What the trail shows of a period: a standard clause by clause, or the `summary`.",
        params: &[
            FROM,
            TO,
            TZ,
            ("user", "Of `gdpr`: what the trail has about this user besides, for an access request."),
            (
                "subject",
                "The same about a subject, by value or reference; with `user`, of one person who is both.",
            ),
            ("format", "`json` (default) or `html`."),
            TENANT,
        ],
        takes: &[],
        gives: &[JSON, HTML],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/attestations",
        who: Who::May(AdminAction::Attest),
        endpoint: Endpoint::Attest,
        summary: "A person's word on the trail: `sign_off`, `access_review`, `break_glass`, `break_glass_review`, `policies`.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/proofs/{event_id}",
        who: READ,
        endpoint: Endpoint::Proof,
        summary: "A C2SP proof that an event is on its trail, to be checked offline.",
        params: &[
            ("parts", "`true` discloses the contents in the proof."),
            ("level", "Wait, for 20 s at most, until the entry is `integrated` or `witnessed`."),
            TENANT,
        ],
        takes: &[],
        gives: &[TEXT],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/tail",
        who: READ,
        endpoint: Endpoint::Tail,
        summary: "Events as they are recorded, as server-sent events; `Last-Event-ID` goes on behind an index.",
        params: &[Q, TENANT],
        takes: &[],
        gives: &[SSE],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/trails",
        who: READ,
        endpoint: Endpoint::Trails,
        summary: "The trails that the caller may read, with their sizes and checkpoints.",
        params: &[],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/erasures",
        who: Who::May(AdminAction::Erase),
        endpoint: Endpoint::Erase,
        summary: "Ask for an erasure by user, subject, event or part; `dry_run` says what it would take.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/erasures",
        who: READ,
        endpoint: Endpoint::Erasures,
        summary: "The erasures that were asked for, newest first.",
        params: &[],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/erasures/{id}",
        who: READ,
        endpoint: Endpoint::Erasure,
        summary: "One erasure: who asked, who decided, how far it is.",
        params: &[],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/erasures/{id}/approve",
        who: Who::May(AdminAction::Approve),
        endpoint: Endpoint::EraseApprove,
        summary: "Approve an erasure that another person asked for, and carry it out; `erase` is needed too.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/erasures/{id}/deny",
        who: Who::May(AdminAction::Approve),
        endpoint: Endpoint::EraseDeny,
        summary: "Deny an erasure that another person asked for; `erase` is needed too.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/holds",
        who: Who::May(AdminAction::Erase),
        endpoint: Endpoint::Hold,
        summary: "Place a legal hold on a user, a subject, an event, a span of time or all.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/holds",
        who: READ,
        endpoint: Endpoint::Holds,
        summary: "The legal holds that stand.",
        params: &[],
        takes: &[],
        gives: &[JSON],
    },
    Route {
        method: Method::POST,
        path: "/api/v1/holds/{id}/release",
        who: Who::May(AdminAction::Erase),
        endpoint: Endpoint::Release,
        summary: "Release a legal hold.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/api/v1/subjects",
        who: READ,
        endpoint: Endpoint::Subjects,
        summary: "All that is held about one user or subject, oldest first, one event a line with its contents.",
        params: &[
            ("user", "The `sub` of a user, or the reference that stands for it in events."),
            ("subject", "The value of a subject, or its reference."),
        ],
        takes: &[],
        gives: &[NDJSON],
    },
    Route {
        method: Method::GET,
        path: "/trails/{tenant}/checkpoint",
        who: Who::Anyone,
        endpoint: Endpoint::Checkpoint,
        summary: "The signed checkpoint (C2SP tlog-tiles).",
        params: &[],
        takes: &[],
        gives: &[TEXT],
    },
    Route {
        method: Method::GET,
        path: "/trails/{tenant}/tile/entries/{tile...}",
        who: READ,
        endpoint: Endpoint::Entries,
        summary: "An entry bundle (C2SP tlog-tiles).",
        params: &[],
        takes: &[],
        gives: &[BINARY],
    },
    Route {
        method: Method::GET,
        path: "/trails/{tenant}/tile/{tile...}",
        who: Who::Anyone,
        endpoint: Endpoint::Tile,
        summary: "A hash tile (C2SP tlog-tiles).",
        params: &[],
        takes: &[],
        gives: &[BINARY],
    },
    Route {
        method: Method::POST,
        path: "/otlp/v1/traces",
        who: Who::May(AdminAction::Ingest),
        endpoint: Endpoint::Otlp(Signal::Traces),
        summary: "OTLP/HTTP: spans of agents become events, as claims.",
        params: &[],
        takes: &[PROTOBUF, JSON],
        gives: &[PROTOBUF, JSON],
    },
    Route {
        method: Method::POST,
        path: "/otlp/v1/logs",
        who: Who::May(AdminAction::Ingest),
        endpoint: Endpoint::Otlp(Signal::Logs),
        summary: "OTLP/HTTP: log records of agents become events, as claims.",
        params: &[],
        takes: &[PROTOBUF, JSON],
        gives: &[PROTOBUF, JSON],
    },
    Route {
        method: Method::POST,
        path: "/otlp/v1/metrics",
        who: Who::May(AdminAction::Ingest),
        endpoint: Endpoint::Otlp(Signal::Metrics),
        summary: "OTLP/HTTP: metrics are taken and not kept.",
        params: &[],
        takes: &[PROTOBUF, JSON],
        gives: &[PROTOBUF, JSON],
    },
    Route {
        method: Method::POST,
        path: "/v1/traces/ingest",
        who: Who::May(AdminAction::Ingest),
        endpoint: Endpoint::Otlp(Signal::AgentsSdk),
        summary: "Traces of the OpenAI Agents SDK become events, as claims.",
        params: &[],
        takes: &[JSON],
        gives: &[JSON],
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        who: Who::Anyone,
        endpoint: Endpoint::OpenApi,
        summary: "This interface.",
        params: &[],
        takes: &[],
        gives: &[JSON],
    },
];

/// A row that fits a request, with what stood in its path.
pub(crate) struct Matched {
    pub(crate) route: &'static Route,
    captures: Vec<(&'static str, String)>,
}

impl Matched {
    /// What stood at `{name}`, decoded.
    pub(crate) fn capture(&self, name: &str) -> &str {
        self.captures
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    }
}

/// What a path asks of its caller.
pub(crate) fn access(method: &Method, path: &str) -> Access {
    match find(method, path) {
        Ok(matched) if matched.route.who == Who::Anyone => Access::Open,
        Ok(_) => Access::Caller,
        Err(access) => access,
    }
}

/// The row for a request. `HEAD` is `GET` without its body.
pub(crate) fn find(method: &Method, path: &str) -> Result<Matched, Access> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let mut wrong = Access::Unknown;
    for route in ROUTES {
        match captures(route.path, path) {
            Some(captures) if route.method == *method => return Ok(Matched { route, captures }),
            Some(_) => wrong = Access::WrongMethod,
            None => {}
        }
    }
    Err(wrong)
}

fn captures(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut captures = Vec::new();
    let mut rest = path;
    for part in template.split_inclusive('/') {
        let (segment, slash) = match part.strip_suffix('/') {
            Some(segment) => (segment, true),
            None => (part, false),
        };
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        let end = match name {
            Some(name) if name.ends_with("...") => rest.len(),
            _ => rest.find('/').unwrap_or(rest.len()),
        };
        let (found, behind) = rest.split_at_checked(end)?;
        match name {
            Some(name) => captures.push((name.trim_end_matches('.'), decoded(found)?)),
            None if segment == found => {}
            None => return None,
        }
        rest = if slash { behind.strip_prefix('/')? } else { behind };
    }
    rest.is_empty().then_some(captures)
}

/// A path segment, decoded once; what is empty or holds control characters names nothing.
fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    let named = !text.is_empty() && !text.chars().any(char::is_control);
    named.then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, path: &str) -> String {
        match find(&method, path) {
            Ok(found) => format!("{:?} {:?}", found.route.endpoint, found.captures),
            Err(access) => format!("{access:?}"),
        }
    }

    #[test]
    fn paths_find_their_rows() {
        let get = |path| check(Method::GET, path);
        insta::assert_snapshot!(get("/api/v1/events"), @"Events []");
        insta::assert_snapshot!(check(Method::POST, "/api/v1/events"), @"Ingest []");
        insta::assert_snapshot!(check(Method::HEAD, "/api/v1/events"), @"Events []");
        insta::assert_snapshot!(check(Method::DELETE, "/api/v1/events"), @"WrongMethod");
        insta::assert_snapshot!(get("/api/v1/sql"), @"WrongMethod");
        insta::assert_snapshot!(get("/api/v1/events/"), @"Unknown");
        insta::assert_snapshot!(get("/api/v1/events/a/b"), @"Unknown");
        insta::assert_snapshot!(get("/api/v1/sessions/a%2Fb%20c"), @r#"Session [("id", "a/b c")]"#);
        insta::assert_snapshot!(get("/api/v1/sessions/%ff"), @"Unknown");
        insta::assert_snapshot!(get("/api/v1/sessions/a%00"), @"Unknown");
        insta::assert_snapshot!(get("/trails/acme/checkpoint"), @r#"Checkpoint [("tenant", "acme")]"#);
        insta::assert_snapshot!(
            get("/trails/acme/tile/0/x001/067.p/44"), @r#"Tile [("tenant", "acme"), ("tile", "0/x001/067.p/44")]"#);
        insta::assert_snapshot!(
            get("/trails/acme/tile/entries/000"), @r#"Entries [("tenant", "acme"), ("tile", "000")]"#);
        insta::assert_snapshot!(get("/trails/acme/tile/"), @"Unknown");
        insta::assert_snapshot!(get("/trails/acme"), @"Unknown");
        insta::assert_snapshot!(get("//api/v1/events"), @"Unknown");
    }

    #[test]
    fn hash_tiles_are_open_and_entries_are_not() {
        let check = |path: &str, expected| assert_eq!(access(&Method::GET, path), expected, "{path}");
        check("/trails/acme/checkpoint", Access::Open);
        check("/trails/acme/tile/0/000", Access::Open);
        check("/trails/acme/tile/entries/000", Access::Caller);
        // An escape that would name the bundles after decoding names no tile in its only spelling.
        check("/trails/acme/tile/%65ntries/000", Access::Open);
        check("/openapi.json", Access::Open);
        check("/api/v1/trails", Access::Caller);
    }
}
