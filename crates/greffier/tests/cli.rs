//! The built binary, as scripts use it: what goes to stdout, what to stderr, and how it exits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use greffier_event::{Draft, Event, Part};
use greffier_ledger::{KeyRing, Ledger, LedgerConfig};
use tempfile::TempDir;

const EVENT: &str = "00000000-0000-7000-8000-000000000001";

/// How a command ended.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greffier"));
    // Nothing of the outer environment may override the configuration.
    command.current_dir(dir).env_clear().args(args);
    command
}

fn run_with(dir: &Path, args: &[&str], stdin: &[u8], env: &[(&str, &str)]) -> Done {
    let mut command = command(dir, args);
    command.envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    Done { code: output.status.code().unwrap(), stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}

fn run(dir: &Path, args: &[&str]) -> Done {
    run_with(dir, args, b"", &[])
}

/// An installation as `init` makes it.
fn installed() -> TempDir {
    let dir = TempDir::new().unwrap();
    let done = run(dir.path(), &["init"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    dir
}

#[test]
fn init_writes_what_works_and_overwrites_nothing() {
    let dir = installed();
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("greffier-keys"), 0o700);
    for key in fs::read_dir(dir.path().join("greffier-keys")).unwrap() {
        let name = key.unwrap().file_name().into_string().unwrap();
        assert_eq!(mode(&format!("greffier-keys/{name}")), 0o600, "{name}");
    }
    let checked = run(dir.path(), &["config", "check"]);
    assert_eq!((checked.code, checked.stdout.as_str()), (0, ""), "{}", checked.stderr);
    assert!(checked.stderr.contains("the key of upstream `openai` is not set"), "{}", checked.stderr);
    assert_eq!(run(dir.path(), &["policy", "check"]).code, 0);

    let config = fs::read_to_string(dir.path().join("greffier.toml")).unwrap();
    let key = fs::read(dir.path().join("greffier-keys/signing.key")).unwrap();
    let again = run(dir.path(), &["init"]);
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(dir.path().join("greffier.toml")).unwrap(), config);
    assert_eq!(fs::read(dir.path().join("greffier-keys/signing.key")).unwrap(), key);
}

#[test]
fn init_can_write_elsewhere() {
    let dir = TempDir::new().unwrap();
    let done = run(dir.path(), &["init", "--dir", "a/b", "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let written: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(written[0]["path"], "a/b/greffier.toml");
    assert!(dir.path().join("a/b/greffier-keys/dev-issuer.key").exists());
}

#[test]
fn a_bad_configuration_is_told_by_line_and_column() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("greffier.toml"), "node = \"n\"\nlisen = \"x\"\n").unwrap();
    let done = run(dir.path(), &["config", "check"]);
    assert_eq!(done.code, 1);
    assert_eq!(done.stdout, "greffier.toml:2:1: unknown key `lisen`: did you mean `listen`?\n");

    let done = run(dir.path(), &["config", "check", "-o", "json"]);
    assert_eq!(done.code, 1);
    let problems: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(problems[0]["place"], "greffier.toml:2:1");
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error, serde_json::json!({"error": {"code": "config", "message": "1 problem"}}));

    for args in [&["serve"][..], &["token", "--sub", "a"], &["config", "show"]] {
        let done = run(dir.path(), args);
        assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{args:?}");
        assert!(done.stderr.contains("greffier.toml:2:1"), "{}", done.stderr);
    }
    let missing = run(dir.path(), &["config", "check", "--config", "nowhere.toml"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("`nowhere.toml`"), "{}", missing.stderr);
}

#[test]
fn the_environment_overrides_and_shows() {
    let dir = installed();
    let env = [("GREFFIER__UPSTREAM__0__BASE_URL", "http://127.0.0.1:9/v1"), ("OPENAI_API_KEY", "sk-live-1")];
    let done = run_with(dir.path(), &["config", "show", "-o", "json"], b"", &env);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let shown: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(shown["upstream"][0]["base_url"], "http://127.0.0.1:9/v1");
    assert!(!done.stdout.contains("sk-live-1"));
    let done = run_with(dir.path(), &["config", "check"], b"", &[("GREFFIER__LISTN", "x")]);
    assert_eq!(done.code, 1);
    assert_eq!(
        done.stdout,
        "environment variable GREFFIER__LISTN: unknown key `listn`: did you mean `listen`?\n"
    );
}

#[test]
fn usage_errors_exit_with_two() {
    let dir = TempDir::new().unwrap();
    let done = run(dir.path(), &["prove", "no-uuid"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    let done = run(dir.path(), &["frobnicate", "-o", "json"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "usage");
    assert_eq!(run(dir.path(), &["--help"]).code, 0);
    assert!(run(dir.path(), &["--version"]).stdout.starts_with("greffier "));
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let dir = installed();
    let args = ["token", "--sub", "alice", "--role", "analyst", "--role", "auditor", "--scope", "llm:invoke"];
    let done = run(dir.path(), &args);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let token = done.stdout.strip_suffix('\n').unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')), "{token}");

    let done = run(dir.path(), &["token", "--sub", "alice", "--tenant", "greffier"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""), "nobody speaks for the node's own trail");
    assert_eq!(run(dir.path(), &["token", "--sub", "alice", "--ttl", "0s"]).code, 2);

    let config = dir.path().join("greffier.toml");
    let issuer = "\n[[issuer]]\nurl = \"https://idp.example\"\naudience = \"a\"\ntenants = [\"t\"]\n";
    let text = fs::read_to_string(&config).unwrap() + issuer;
    fs::write(&config, text).unwrap();
    let done = run(dir.path(), &args);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "the development issuer is not in force");
}

#[test]
fn without_keys_a_token_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let done = run(dir.path(), &["token", "--sub", "alice", "-o", "json"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "dev_issuer");
    assert!(error["error"]["hint"].as_str().unwrap().contains("greffier init"), "{error}");
}

#[test]
fn scan_is_a_filter() {
    let dir = TempDir::new().unwrap();
    let hit = b"{\"id\":\"a\",\"text\":\"ssn 536-90-4399\"}\n";
    let done = run_with(dir.path(), &["scan"], hit, &[]);
    assert_eq!(done.code, 0);
    assert_eq!(
        done.stdout,
        "{\"id\":\"a\",\"spans\":[{\"type\":\"US_SSN\",\"start\":4,\"end\":15,\"score\":0.85}]}\n"
    );
    assert_eq!(run_with(dir.path(), &["scan", "--fail-on", "any"], hit, &[]).code, 6);
    assert_eq!(run_with(dir.path(), &["scan", "--fail-on", "CREDIT_CARD"], hit, &[]).code, 0);
    assert_eq!(run_with(dir.path(), &["scan", "--fail-on", "SSN"], hit, &[]).code, 2);
    let done = run_with(dir.path(), &["scan"], b"536-90-4399\n{\"id\":1,\"text\":\"\"}\n", &[]);
    assert_eq!((done.code, done.stdout.as_str()), (1, "{\"id\":1,\"spans\":[]}\n"));
    assert!(done.stderr.contains("line 1") && !done.stderr.contains("4399"), "{}", done.stderr);
    assert_eq!(run(dir.path(), &["scan"]).code, 0);
}

#[test]
fn policies_are_listed_or_told_by_place() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("p")).unwrap();
    let empty = run(dir.path(), &["policy", "check", "p", "-o", "json"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, "[]\n"));
    let good = "@id(\"anyone may ask\")\npermit (principal, action == Action::\"invoke_model\", resource);\n";
    fs::write(dir.path().join("p/a.cedar"), good).unwrap();
    let done = run(dir.path(), &["policy", "check", "p", "-o", "csv"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "id,place\r\nanyone may ask,p/a.cedar:1\r\n"));
    fs::write(dir.path().join("p/b.cedar"), "\n  permit (principal, action, resource);\n").unwrap();
    let done = run(dir.path(), &["policy", "check", "p"]);
    assert_eq!(done.code, 1);
    assert!(done.stdout.starts_with("p/b.cedar:2:3: the policy has no @id"), "{}", done.stdout);
    assert_eq!(run(dir.path(), &["policy", "check", "nowhere"]).code, 1);
}

/// An installation with one event on the trail of `acme`, cleanly stopped.
fn recorded() -> TempDir {
    let dir = installed();
    let event = serde_json::json!({
        "v": 1, "id": EVENT, "time": "2026-03-06T14:32:07.891000Z", "recorded_at": "2026-03-06T14:32:08.233104Z",
        "type": "data.access", "tenant": "acme", "user": {"sub": "alice"},
    });
    let event: Event = serde_json::from_value(event).unwrap();
    let part = Part { name: "prompt".to_owned(), media: "text/plain".to_owned(), content: b"hello".to_vec() };
    let config = LedgerConfig {
        dir: dir.path().join("greffier-data"),
        keys_dir: dir.path().join("greffier-keys"),
        origin: "greffier.local".to_owned(),
        node: "node-1".to_owned(),
        seal: greffier_ledger::SealPolicy::default(),
    };
    let (ledger, _startup) = Ledger::start(config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ledger.appender().append(Draft { event, parts: vec![part] })).unwrap();
    ledger.close().unwrap();
    dir
}

#[test]
fn prove_and_verify_a_proof() {
    let dir = recorded();
    let proof = run(dir.path(), &["prove", EVENT]);
    assert_eq!((proof.code, proof.stderr.as_str()), (0, ""));
    assert!(proof.stdout.starts_with("c2sp.org/tlog-proof@v1\n"));
    let with_parts =
        ["prove", EVENT, "--data", "greffier-data", "--keys", "greffier-keys", "--out", "e.tlog-proof"];
    let done = run(dir.path(), &with_parts);
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);

    let elsewhere = TempDir::new().unwrap();
    for file in ["e.tlog-proof", "greffier-data/trust"] {
        let name = Path::new(file).file_name().unwrap();
        fs::copy(dir.path().join(file), elsewhere.path().join(name)).unwrap();
    }
    let anchored = run(elsewhere.path(), &["verify", "e.tlog-proof", "--trust", "trust"]);
    assert_eq!(anchored.code, 0, "{}", anchored.stderr);
    assert!(anchored.stdout.contains(EVENT) && anchored.stdout.contains("part prompt: VALID hello"));
    assert!(anchored.stdout.ends_with("\nVALID\n"), "{}", anchored.stdout);
    let alone = run(elsewhere.path(), &["verify", "e.tlog-proof", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&alone.stdout).unwrap();
    assert_eq!(
        (alone.code, &told["anchored"], &told["signature_checked"]),
        (0, &false.into(), &false.into())
    );
    assert_eq!(told["event"]["id"], EVENT);
    let own = run(dir.path(), &["verify", "e.tlog-proof"]);
    assert!(own.stdout.ends_with("VALID, SELF-CONSISTENT, NOT ANCHORED\n"), "{}", own.stdout);

    let missing = run(dir.path(), &["prove", "00000000-0000-7000-8000-000000000002"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""));
    assert_eq!(run(dir.path(), &["verify", "nowhere"]).code, 3);
    assert_eq!(run(dir.path(), &["verify", "greffier.toml"]).code, 1);
}

#[test]
fn a_changed_proof_is_invalid() {
    let dir = recorded();
    let proof = run(dir.path(), &["prove", EVENT]).stdout;
    let path = dir.path().join("changed.tlog-proof");
    let mut tried = 0;
    // Behind the first line, which says what kind of file it is.
    for at in (23..proof.len()).step_by(11) {
        let mut changed = proof.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        fs::write(&path, &changed).unwrap();
        let done = run(dir.path(), &["verify", "changed.tlog-proof"]);
        // Under another name it is some other log's, of which nobody here knows anything.
        let unknown = done.code == 1 && done.stderr.contains("nobody here vouches for the log");
        assert!(done.code == 5 || unknown, "byte {at}: {}{}", done.stdout, done.stderr);
        assert!(!done.stdout.contains("VALID"));
        tried += 1;
    }
    assert!(tried > 20);
}

#[test]
fn verify_tells_the_directory_and_names_the_place() {
    let dir = recorded();
    let done = run(dir.path(), &["verify"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    assert!(done.stdout.contains("trail acme: 1 entries, checkpoint covers 1"), "{}", done.stdout);
    assert!(done.stdout.ends_with("SELF-CONSISTENT, NOT ANCHORED\n"), "{}", done.stdout);
    let trust = dir.path().join("trust");
    fs::copy(dir.path().join("greffier-data/trust"), &trust).unwrap();
    let args = ["verify", "greffier-data", "--trust", "trust", "--keys", "greffier-keys", "-o", "json"];
    let done = run(dir.path(), &args);
    let told: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, &told["verdict"], &told["parts_opened"]), (0, &"VERIFIED".into(), &1.into()));

    let checkpoint = dir.path().join("greffier-data/trails/acme/checkpoint");
    let changed = fs::read_to_string(&checkpoint).unwrap().replacen("\n1\n", "\n2\n", 1);
    fs::write(&checkpoint, changed).unwrap();
    let done = run(dir.path(), &["verify"]);
    assert_eq!(done.code, 5, "{}", done.stdout);
    assert!(done.stdout.contains("problem trails/acme/checkpoint"), "{}", done.stdout);
    assert!(done.stdout.ends_with("TAMPERING FOUND\n"), "{}", done.stdout);
    assert_eq!(run(dir.path(), &["verify", "greffier-keys"]).code, 3, "not a data directory");
}

#[test]
fn keys_are_made_anew_for_each_installation() {
    let [a, b] = [installed(), installed()].map(|dir| {
        KeyRing::open(&dir.path().join("greffier-keys")).unwrap().signer("x").unwrap().verifier().to_string()
    });
    assert_ne!(a, b);
}

/// A server, killed when the test ends early.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn serve_sets_itself_up_and_stops_cleanly() {
    let dir = TempDir::new().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = command(dir.path(), &["serve"]);
    command.env("GREFFIER__LISTEN", format!("127.0.0.1:{port}"));
    let mut server = Server(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    while !get(port, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(server.0.try_wait().unwrap().is_none(), "it ended");
        assert!(Instant::now() < deadline, "not ready in time");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(dir.path().join("greffier.toml").exists() && dir.path().join("policies").is_dir());
    let second = run_with(dir.path(), &["serve"], b"", &[("GREFFIER__LISTEN", &format!("127.0.0.1:{port}"))]);
    assert_eq!(second.code, 1, "the address is taken");

    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.0.wait().unwrap().success());
    let (mut out, mut said) = (String::new(), String::new());
    server.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    server.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(out, "", "logs go to stderr");
    assert!(said.contains("running `greffier init` first") && said.contains("stopped cleanly"), "{said}");
    assert_eq!(run(dir.path(), &["verify"]).code, 0);
}
