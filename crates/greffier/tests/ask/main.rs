//! What was recorded, asked with the built binary: over the files and over a server, in every form.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod carry;
mod files;
mod installation;
mod server;
