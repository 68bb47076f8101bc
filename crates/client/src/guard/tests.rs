use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use super::*;

/// A server that gives these answers, one after another, and tells what it was asked.
fn server(answers: &'static [(u16, &'static str)]) -> (Guard, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, hear) = mpsc::channel();
    thread::spawn(move || {
        let mut answers = answers.iter();
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some((head, body)) = request(&mut reader) {
                let mut asked: Value = serde_json::from_slice(&body).unwrap();
                if let Some(trace) = head.lines().find_map(|line| line.strip_prefix("traceparent: ")) {
                    asked["traceparent"] = trace.into();
                }
                told.send(asked).unwrap();
                let Some((status, answer)) = answers.next() else { return };
                let head = format!(
                    "HTTP/1.1 {status} X\r\ngreffier-request-id: req_1\r\ngreffier-receipt: acme 7 aGFzaA==\r\ncontent-length: {}",
                    answer.len()
                );
                stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes()).unwrap();
            }
        }
    });
    (Guard::open(ServerOptions::new(url)).unwrap(), hear)
}

/// Head and body of the next one.
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

fn asked() -> Ask {
    Ask::new("crm:search").parameter("q", "open orders").session("s").call("c1")
}

#[test]
fn a_permit_carries_the_call_to_its_end() {
    let (guard, hear) = server(&[
        (200, r#"{"decision":"allow","parameters":{"q":"<US_SSN>"}}"#),
        (200, r#"{"result":"[withheld]","reason":"it contains CREDIT_CARD"}"#),
    ]);
    let permit = guard.ask(asked()).unwrap();
    assert_eq!(permit.parameters()["q"], "<US_SSN>");
    assert_eq!((permit.request_id(), permit.receipt()), (Some("req_1"), Some("acme 7 aGFzaA==")));
    assert_eq!(permit.executed("4111").unwrap(), Released::Instead("[withheld]".into()));
    insta::assert_snapshot!(hear.recv().unwrap(), @r#"{"hook_event_name":"PreToolUse","session_id":"s","tool_name":"crm:search","tool_input":{"q":"open orders"},"tool_use_id":"c1"}"#);
    insta::assert_snapshot!(hear.recv().unwrap(), @r#"{"hook_event_name":"PostToolUse","session_id":"s","tool_name":"crm:search","tool_input":{"q":"open orders"},"tool_use_id":"c1","tool_response":"4111"}"#);
}

#[test]
fn what_was_permitted_as_it_is_may_fail() {
    let (guard, hear) = server(&[
        (200, r#"{"decision":"allow"}"#),
        (200, "{}"),
        (200, r#"{"decision":"allow"}"#),
        (200, "{}"),
    ]);
    let permit = guard.ask(asked()).unwrap();
    assert_eq!(permit.parameters()["q"], "open orders");
    permit.failed("it broke").unwrap();
    let events: Vec<Value> = hear.iter().take(2).collect();
    assert_eq!(
        (&events[1]["hook_event_name"], &events[1]["error"]),
        (&"PostToolUseFailure".into(), &"it broke".into())
    );
    assert_eq!(guard.ask(asked()).unwrap().executed(1).unwrap(), Released::AsItIs);
}

#[test]
fn question_and_outcome_belong_to_the_trace_and_session_around_them() {
    let (guard, hear) = server(&[(200, r#"{"decision":"allow"}"#), (200, "{}")]);
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = {
        let _entered = Context::default().session("ses-7").traceparent(header).enter();
        Ask::new("crm:search")
    };
    assert_eq!(guard.ask(ask).unwrap().executed(1).unwrap(), Released::AsItIs);
    for event in hear.iter().take(2) {
        assert_eq!((&event["traceparent"], &event["session_id"]), (&header.into(), &"ses-7".into()));
    }
}

/// Only a plain yes is one.
#[test]
fn whatever_is_no_permit_is_none() {
    let check = |answers| {
        server(answers).0.ask(asked()).map_or_else(|error| error.to_string(), |_| "permitted".to_owned())
    };
    insta::assert_snapshot!(check(&[(200, r#"{"decision":"deny","reason":"no policy permits it"}"#)]), @"denied by Greffier: no policy permits it");
    insta::assert_snapshot!(check(&[(200, r#"{"decision":"ask"}"#)]), @"no decision: the server decided `ask`");
    insta::assert_snapshot!(check(&[(200, "{}")]), @"no decision: the server's answer is no decision");
    insta::assert_snapshot!(check(&[(200, "allow")]), @"no decision: the server's answer is no decision");
    insta::assert_snapshot!(check(&[(503, r#"{"error":{"message":"not recording"}}"#)]), @"no decision: the server answered 503 Service Unavailable: not recording");
    insta::assert_snapshot!(check(&[(204, "")]), @"no decision: the server answered 204 No Content");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let guard = Guard::open(ServerOptions::new(format!("http://{nobody}"))).unwrap();
    assert!(matches!(guard.ask(asked()), Err(GuardError::NoDecision(_))));
}
