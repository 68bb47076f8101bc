use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

/// Asks a server that answers every request with these bytes, and returns what was asked for and what came of it.
fn check(answer: &'static str) -> (String, Result<Reply, Unreachable>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/w1", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        // The body ends the request, and the tests' bodies end in an exclamation mark.
        while !(asked.ends_with(b"!") || asked.starts_with(b"GET") && asked.ends_with(b"\r\n\r\n")) {
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer).unwrap();
            asked.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(asked).unwrap().lines().next().unwrap().to_owned()
    });
    let replies = Http::new(vec![url]).unwrap().add_checkpoints(0, vec!["old 0!".to_owned()]);
    (server.join().unwrap(), replies.into_iter().next().unwrap())
}

fn answer(head: &str, body: &str) -> &'static str {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).leak()
}

#[test]
fn what_a_witness_says_is_handed_on_as_it_is() {
    let (asked, reply) = check(answer("409 Conflict", "12\n"));
    assert_eq!(asked, "POST /w1/add-checkpoint HTTP/1.1");
    assert_eq!(reply, Ok(Reply { status: 409, body: "12\n".to_owned() }));
    let (_, reply) = check(answer("302 Found", ""));
    assert_eq!(reply, Ok(Reply { status: 302, body: String::new() }));
}

#[test]
fn what_says_nothing_about_a_checkpoint_counts_as_no_answer() {
    let long = "x".repeat(MAX_ANSWER + 1);
    let mut said = Vec::new();
    for answer in [
        answer("500 Oops", ""),
        answer("429 Slow down", ""),
        answer("200 OK", &long),
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12",
    ] {
        said.push(check(answer).1.unwrap_err().0);
    }
    insta::assert_snapshot!(said.join("\n"), @"
    it answered 500
    it answered 429
    its answer broke off or is too long
    its answer broke off or is too long
    ");
}

#[test]
fn a_witness_that_is_not_there_is_unreachable() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let witnesses = Http::new(vec![format!("http://{address}")]).unwrap();
    let replies = witnesses.latest(0, vec!["log/acme".to_owned(), "log/zeta".to_owned()]);
    assert_eq!(replies.len(), 2);
    assert!(replies.iter().all(Result::is_err));
    // Beyond the configured ones there is nobody.
    assert!(witnesses.latest(1, vec!["log/acme".to_owned()]).iter().all(Result::is_err));
}
