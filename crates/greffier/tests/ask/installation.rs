//! An installation in a folder of its own, the built binary in it, and what commands said.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Events of three forms: those of one tenant.
pub(crate) const EVENTS: &str = include_str!("events.jsonl");

/// How a command ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// What it said, if it did what it was asked to.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What it said, as JSON.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// What `init` made, with the events on the trail of `acme` unless it is empty.
pub(crate) struct Installation(pub(crate) TempDir);

impl Installation {
    pub(crate) fn empty() -> Installation {
        let installation = Installation(TempDir::new().unwrap());
        installation.run(&["init"]).ok();
        installation
    }

    pub(crate) fn recorded() -> Installation {
        let installation = Installation::empty();
        fs::write(installation.path().join("events.jsonl"), EVENTS).unwrap();
        installation.run(&["import", "events.jsonl", "--tenant", "acme"]).ok();
        installation
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greffier"));
        // Nothing of the outer environment may override the configuration.
        command.current_dir(self.path()).env_clear().args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        finish(self.command(args), b"")
    }

    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Done {
        finish(self.command(args), stdin.as_bytes())
    }

    /// A running server on the installation.
    pub(crate) fn serve(&self) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = self.command(&["serve", "--quiet"]);
        command.env("GREFFIER__LISTEN", format!("127.0.0.1:{port}"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Server { child, url: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_ready(&server.url) {
            assert!(server.child.try_wait().unwrap().is_none(), "it ended");
            assert!(Instant::now() < deadline, "not ready in time");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Without a token a server that serves says so, and one that does not yet says that.
    fn is_ready(&self, url: &str) -> bool {
        self.run(&["search", "--server", url]).code == 4
    }

    /// The command on a server, with a token of these roles.
    pub(crate) fn ask(&self, server: &Server, roles: &[&str], args: &[&str]) -> Done {
        let mut mint = vec!["token", "--sub", "olivia", "--tenant", "acme"];
        roles.iter().for_each(|role| mint.extend(["--role", role]));
        let token = self.run(&mint).ok();
        let mut command = self.command(args);
        command.args(["--server", &server.url]).env("GREFFIER_TOKEN", token.trim());
        finish(command, b"")
    }
}

/// A server, killed when the test ends early.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn finish(mut command: Command, stdin: &[u8]) -> Done {
    let mut child = command.spawn().unwrap();
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    Done { code: output.status.code().unwrap(), stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}
