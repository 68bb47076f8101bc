//! Ambiguous framing is refused: a request with both `content-length` and `transfer-encoding`, or either twice.
//!
//! hyper settles such a head by the letter of RFC 9112 and drops what lost, so that nothing above can see it. A
//! proxy in front may have settled it the other way, and then a second request hides in the first one's body. So
//! the connection's first head is looked at as it comes in; a chunked request ends its connection, which makes
//! the next head a first one again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a head looked at; hyper refuses longer ones.
const MAX_HEAD: usize = 64 * 1024;

/// Set once a connection's head was ambiguous.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ambiguous(Arc<AtomicBool>);

impl Ambiguous {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection whose first head is looked at in passing.
pub(crate) struct Connection<S> {
    stream: S,
    head: Option<Vec<u8>>,
    ambiguous: Ambiguous,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S) -> (Connection<S>, Ambiguous) {
        let ambiguous = Ambiguous::default();
        (Connection { stream, head: Some(Vec::new()), ambiguous: ambiguous.clone() }, ambiguous)
    }

    fn look(&mut self, fresh: &[u8]) {
        let Some(mut head) = self.head.take() else { return };
        head.extend_from_slice(fresh);
        match end_of_head(&head) {
            Some(end) => {
                let ambiguous = is_ambiguous(head.get(..end).unwrap_or_default());
                self.ambiguous.0.store(ambiguous, Ordering::Release);
            }
            None if head.len() < MAX_HEAD => self.head = Some(head),
            None => {}
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").or_else(|| memchr::memmem::find(bytes, b"\n\n"))
}

fn is_ambiguous(head: &[u8]) -> bool {
    let names = head
        .split(|&byte| byte == b'\n')
        .skip(1)
        .filter_map(|line| line.split(|&byte| byte == b':').next())
        .map(|name| name.trim_ascii().to_ascii_lowercase());
    let framing = names.filter(|name| matches!(name.as_slice(), b"content-length" | b"transfer-encoding"));
    framing.count() > 1
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.head.is_some() {
            let fresh = buf.filled().get(before..).unwrap_or_default();
            self.look(fresh);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::is_ambiguous;

    #[test]
    fn heads() {
        let check =
            |head: &str, expected: bool| assert_eq!(is_ambiguous(head.as_bytes()), expected, "{head:?}");
        check("POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: a", false);
        check("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", true);
        check("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH : 3", true);
        check("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3", true);
        check("GET /content-length:/transfer-encoding: HTTP/1.1\r\nHost: a", false);
    }
}
