use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;
use crate::logger::AuditLogger;
use crate::overflow::{Overflow, SpoolOptions};
use crate::server::Token;

const LONG: Duration = Duration::from_secs(20);

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Records all of it.
    Take,
    /// Records all of it, and its answer breaks off.
    TakeHalfAnswer,
    /// Closes without a word.
    Close,
    /// An error of this status.
    Status(u16),
    /// Records the first half, and cannot record the rest now.
    Half,
    /// Takes no coding.
    Plain,
    /// Refuses the events of this action.
    Refuse(&'static str),
}

/// A server that knows events by their ids, as the real one does, and fails as it is told to.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>, String);

#[derive(Default)]
struct State {
    /// What is done with the next requests; afterwards everything is taken.
    ways: std::collections::VecDeque<Way>,
    /// Actions in the order in which they were recorded, each once.
    recorded: Vec<String>,
    ids: BTreeSet<String>,
    repeated: usize,
    heads: Vec<String>,
}

impl Fake {
    fn start(ways: impl IntoIterator<Item = Way>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State { ways: ways.into_iter().collect(), ..State::default() };
        let fake = Fake(Arc::new(Mutex::new(state)), url);
        let serving = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(stream.unwrap()));
            }
        });
        fake
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some((head, body)) = request(&mut reader) {
            let answer = self.answer(&head, &body);
            if stream.write_all(answer.as_bytes()).is_err() || !answer.ends_with('}') {
                return;
            }
        }
    }

    fn answer(&self, head: &str, body: &[u8]) -> String {
        let state = &mut *self.0.lock().unwrap();
        state.heads.push(head.to_owned());
        let way = state.ways.pop_front().unwrap_or(Way::Take);
        let coded = head.contains("content-encoding: zstd");
        match way {
            Way::Close => return String::new(),
            Way::Status(status) => return document(status, r#"{"error":{"code":"x","message":"as told"}}"#),
            Way::Plain if coded => {
                state.ways.push_front(Way::Plain);
                return document(415, r#"{"error":{"code":"unsupported_encoding","message":"plain"}}"#);
            }
            _ => {}
        }
        let body = if coded { zstd::bulk::decompress(body, 1 << 26).unwrap() } else { body.to_vec() };
        let lines: Vec<Value> = std::str::from_utf8(&body)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (mut receipts, mut errors) = (Vec::new(), Vec::new());
        for (at, line) in lines.iter().enumerate() {
            let (action, id) = (line["action"]["name"].as_str().unwrap(), line["id"].as_str().unwrap());
            let error = |code: &str| serde_json::json!({"line": at + 1, "code": code, "message": "as told"});
            match way {
                Way::Half if at >= lines.len() / 2 => errors.push(error("not_recording")),
                Way::Refuse(refused) if refused == action => errors.push(error("invalid_event")),
                _ => {
                    if state.ids.insert(id.to_owned()) {
                        state.recorded.push(action.to_owned());
                    } else {
                        state.repeated += 1;
                    }
                    receipts.push(serde_json::json!({"line": at + 1, "id": id, "index": at}));
                }
            }
        }
        let status = if errors.is_empty() { 200 } else { 207 };
        let answer =
            document(status, &serde_json::json!({"receipts": receipts, "errors": errors}).to_string());
        if way == Way::TakeHalfAnswer { answer[..answer.len() / 2].to_owned() } else { answer }
    }

    fn recorded(&self) -> Vec<String> {
        self.0.lock().unwrap().recorded.clone()
    }

    fn backend(&self) -> RemoteBackend {
        RemoteBackend::open(ServerOptions::new(&self.1).token(Token::Text("tok-1".to_owned()))).unwrap()
    }
}

fn document(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn named(action: impl Into<String>) -> AuditEvent {
    AuditEvent::new(EventType::ToolCall).action(action)
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn a_batch_is_one_request_with_all_that_it_needs() {
    let fake = Fake::start([]);
    let events: Vec<AuditEvent> = numbers(0..100).into_iter().map(named).collect();
    assert_eq!(fake.backend().write(&events).unwrap(), []);
    assert_eq!(fake.recorded(), numbers(0..100));
    let heads = fake.0.lock().unwrap().heads.clone();
    let [head] = &heads[..] else { panic!("{heads:?}") };
    for expected in [
        "POST /api/v1/events HTTP/1.1",
        "authorization: Bearer tok-1",
        "content-type: application/x-ndjson",
        "content-encoding: zstd",
        "greffier-sent-at: 20",
    ] {
        assert!(head.contains(expected), "{head}");
    }
}

/// Whatever a server does in the middle, each event is on record once, in order.
#[test]
fn what_fails_is_sent_again_and_nothing_is_doubled() {
    for (way, repeated) in [
        (Way::Close, false),
        (Way::TakeHalfAnswer, true),
        (Way::Status(500), false),
        (Way::Status(503), false),
        (Way::Status(401), false),
        (Way::Status(429), false),
        (Way::Half, true),
        (Way::Plain, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for overflow in [Overflow::Refuse, Overflow::Spool(SpoolOptions::new(dir.path()))] {
            let fake = Fake::start([way, way]);
            let logger = AuditLogger::options().batch(50).overflow(overflow).start(fake.backend()).unwrap();
            for number in numbers(0..120) {
                logger.log(named(number)).unwrap();
            }
            logger.shutdown(LONG).unwrap();
            assert_eq!(fake.recorded(), numbers(0..120), "{way:?}");
            assert_eq!(fake.0.lock().unwrap().repeated > 0, repeated, "{way:?}");
        }
    }
}

#[test]
fn what_a_server_never_takes_is_named() {
    let fake = Fake::start([Way::Refuse("1")]);
    let rejected = fake.backend().write(&[named("0"), named("1"), named("2")]).unwrap();
    assert_eq!(rejected, [Rejected { index: 1, reason: "invalid_event: as told".to_owned() }]);
    assert_eq!(fake.recorded(), ["0", "2"]);
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    // The whole, its first half, and one event that is too large alone.
    let fake = Fake::start([Way::Status(413), Way::Status(413), Way::Status(413), Way::Take, Way::Take]);
    let rejected = fake.backend().write(&[named("0"), named("1"), named("2"), named("3")]).unwrap();
    assert_eq!(rejected, [Rejected { index: 0, reason: "413 Payload Too Large: as told".to_owned() }]);
    assert_eq!(fake.recorded(), ["1", "2", "3"]);
}

#[test]
fn a_server_that_is_away_is_waited_for_and_by_the_next_start_too() {
    // A port on which nobody listens yet.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let start = |url: &str| {
        AuditLogger::options()
            .overflow(Overflow::Spool(SpoolOptions::new(dir.path())))
            .start(RemoteBackend::open(ServerOptions::new(url)).unwrap())
            .unwrap()
    };
    let first = start(&format!("http://{free}"));
    for number in numbers(0..10) {
        first.log(named(number)).unwrap();
    }
    let failed = first.flush(LONG).unwrap_err();
    assert!(failed.spooled && failed.waiting == 10 && failed.reason.contains("onnect"), "{failed}");
    first.shutdown(Duration::ZERO).unwrap();
    drop(first);
    let fake = Fake::start([]);
    let second = start(&fake.1);
    for number in numbers(10..20) {
        second.log(named(number)).unwrap();
    }
    second.shutdown(LONG).unwrap();
    assert_eq!(fake.recorded(), numbers(0..20));
}

#[test]
fn a_write_works_on_a_thread_of_somebody_elses_runtime() {
    let fake = Fake::start([]);
    let backend = fake.backend();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { backend.write(&[named("0")]).unwrap() });
    assert_eq!(fake.recorded(), ["0"]);
}

#[test]
fn tokens_do_not_travel_in_clear_text_and_are_not_shown() {
    let check = |url: &str| {
        let options = ServerOptions::new(url).token(Token::Text("tok-1".to_owned()));
        assert!(!format!("{options:?}").contains("tok-1"));
        RemoteBackend::open(options).map_or_else(|error| error.to_string(), |_| "open".to_owned())
    };
    insta::assert_snapshot!(check("http://greffier.example"), @"the server's URL must be https://: a token does not travel in clear text");
    insta::assert_snapshot!(check("https://greffier.example"), @"open");
    insta::assert_snapshot!(check("http://[::1]:4180/"), @"open");
    insta::assert_snapshot!(check("https://u:p@greffier.example"), @"the server's URL must hold neither credentials nor a query");
    insta::assert_snapshot!(check("ftp://greffier.example"), @"the server's URL must be http:// or https://");
    insta::assert_snapshot!(check("nonsense"), @"the server's URL must be http:// or https://");
}

#[test]
fn filters_become_searches() {
    let check = |filter: Filter| match search(&filter) {
        (terms, true) => terms,
        (terms, false) => format!("{terms} (and more)"),
    };
    let time = "2026-03-06T00:00:00Z".parse().unwrap();
    insta::assert_snapshot!(check(Filter::new()), @"");
    insta::assert_snapshot!(check(Filter::new().agent("a \"b\"").kind(EventType::Error).since(time)), @r#"agent:"a \"b\"" type:error since:2026-03-06T00:00:00.000000Z"#);
    insta::assert_snapshot!(check(Filter::new().equal("user_id", Value::Null)), @"-has:user");
    insta::assert_snapshot!(check(Filter::new().agent("a").equal("result", "x")), @r#"agent:"a" (and more)"#);
}

#[test]
fn authorities_that_cannot_be_used_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let check = |text: Option<&str>| {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let options = ServerOptions::new("https://greffier.example").ca_file(&file);
        let error = RemoteBackend::open(options).unwrap_err().to_string();
        error.replace(&dir.path().display().to_string(), "")
    };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    insta::assert_snapshot!(check(None), @"reading the authorities in /ca.pem: No such file or directory (os error 2)");
    insta::assert_snapshot!(check(Some("")), @"/ca.pem: expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)");
    insta::assert_snapshot!(check(Some(broken)), @"/ca.pem: expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)");
}
