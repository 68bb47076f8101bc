//! A server that is a command: messages a line each over its standard input and output.
//!
//! One process serves one session, so that no server needs to tell callers apart. Requests get ids of our own, because
//! those that share a session may count alike. What it writes to its standard error is data, not ours: it goes to the
//! log, cleaned and cut. A process that ends fails what is under way; the next session starts another.

use std::collections::{HashMap, VecDeque};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::rpc::{self, Id, Message};
use super::server::Launch;
use crate::adapt::view::View;

/// Lines that wait to be written: a server that does not read is slow, and then callers wait.
const TO_WRITE: usize = 64;
/// Messages that wait for one reader.
const TO_READ: usize = 256;
/// Requests under way in one process.
const UNDER_WAY: usize = 128;
/// Messages kept while nobody listens.
const KEPT: usize = 64;
/// What a process may take to end by itself once its input is closed.
const GRACE: Duration = Duration::from_secs(2);
/// Longest line of standard error that is logged, and lines logged of one process in a minute.
const MAX_LOGGED: usize = 400;
const LOGGED_PER_MINUTE: usize = 60;

/// Why a process takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("it cannot be started")]
    Start,
    #[error("it has ended")]
    Over,
    #[error("it has too many requests under way")]
    Busy,
}

/// One running command.
pub(crate) struct Process {
    lines: mpsc::Sender<String>,
    routes: Mutex<Routes>,
    over: CancellationToken,
    stop: CancellationToken,
    idle: Duration,
}

/// Messages of a process for one reader; a request whose row is dropped before its answer is cancelled.
pub(crate) struct Row {
    messages: mpsc::Receiver<String>,
    cancels: Option<(Arc<Process>, Id)>,
}

impl Row {
    /// The next message; `None` when none follows.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.messages.recv().await
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if let Some((process, own)) = self.cancels.take() {
            process.cancel(&own);
        }
    }
}

/// Where messages of the server go.
struct Routes {
    next: u64,
    under_way: HashMap<Id, UnderWay>,
    listener: Option<mpsc::Sender<String>>,
    kept: VecDeque<String>,
    used: Instant,
}

struct UnderWay {
    /// The caller's own id.
    id: Id,
    /// What progress is reported under, as JSON writes it.
    progress: Option<String>,
    order: u64,
    sender: mpsc::Sender<String>,
}

impl Process {
    /// Starts a command. `clean` makes what it writes to its standard error fit for the log.
    pub(crate) fn start(
        server: &str,
        launch: &Launch,
        longest: usize,
        clean: impl Fn(&str) -> String + Send + 'static,
    ) -> Result<Arc<Process>, ProcessError> {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.environment.iter().map(|(name, value)| (name, value.expose())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: an interrupt meant for us must not end it in the middle of a call.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            tracing::warn!(server, %error, "the command of an MCP server cannot be started");
            ProcessError::Start
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(ProcessError::Start);
        };
        let (lines, to_write) = mpsc::channel(TO_WRITE);
        let routes = Routes {
            next: 0,
            under_way: HashMap::new(),
            listener: None,
            kept: VecDeque::new(),
            used: Instant::now(),
        };
        let process = Arc::new(Process {
            lines,
            routes: Mutex::new(routes),
            over: CancellationToken::new(),
            stop: CancellationToken::new(),
            idle: launch.idle,
        });
        tokio::spawn(keep_writing(stdin, to_write, process.stop.clone()));
        tokio::spawn(log(BufReader::new(stderr), server.to_owned(), clean));
        let reading = Arc::clone(&process);
        let server = server.to_owned();
        tokio::spawn(async move {
            let mut stdout = BufReader::new(stdout);
            loop {
                let line = tokio::select! {
                    line = line(&mut stdout, longest) => line,
                    () = reading.stop.cancelled() => None,
                };
                let Some(line) = line else { break };
                reading.take(&line).await;
            }
            reading.stop.cancel();
            end(child, &server).await;
            reading.over.cancel();
            reading.routes().forget();
        });
        Ok(process)
    }

    fn routes(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled() || self.stop.is_cancelled()
    }

    /// Whether nobody asked anything for as long as it may stand idle.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let routes = self.routes();
        let listening = routes.listener.as_ref().is_some_and(|listener| !listener.is_closed());
        routes.under_way.is_empty() && !listening && now.saturating_duration_since(routes.used) > self.idle
    }

    /// Asks it to end; what is under way fails.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Sends a request; what comes of it arrives in the row, the response last.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        id: &Id,
        method: &str,
        params: Option<&str>,
    ) -> Result<Row, ProcessError> {
        if self.is_over() {
            return Err(ProcessError::Over);
        }
        let (sender, receiver) = mpsc::channel(TO_READ);
        let own = {
            let mut routes = self.routes();
            routes.under_way.retain(|_, under_way| !under_way.sender.is_closed());
            if routes.under_way.len() >= UNDER_WAY {
                return Err(ProcessError::Busy);
            }
            routes.next += 1;
            routes.used = Instant::now();
            let (own, order) = (Id::number(routes.next), routes.next);
            let progress = params.and_then(progress);
            routes.under_way.insert(own.clone(), UnderWay { id: id.clone(), progress, order, sender });
            own
        };
        // An opening is never cancelled: the specification says so.
        let cancels = (method != "initialize").then(|| (Arc::clone(self), own.clone()));
        let row = Row { messages: receiver, cancels };
        self.write(rpc::ask(Some(&own), method, params)).await?;
        Ok(row)
    }

    /// Nobody waits for a request's answer any more: the server need not go on with it.
    fn cancel(&self, own: &Id) {
        if self.routes().under_way.remove(own).is_none() {
            return;
        }
        let params = format!("{{\"requestId\":{},\"reason\":\"nobody waits for it\"}}", own.as_json());
        // A server that does not read does not hear it either.
        drop(self.lines.try_send(rpc::ask(None, "notifications/cancelled", Some(&params))));
    }

    /// Sends a notification. One that cancels a request names it by our id.
    pub(crate) async fn tell(&self, method: &str, params: Option<&str>) -> Result<(), ProcessError> {
        let cancels = if method == "notifications/cancelled" { params.and_then(cancelled) } else { None };
        let params = match cancels {
            None => params.map(str::to_owned),
            Some((id, span)) => {
                let routes = self.routes();
                let mut alike: Vec<(&Id, u64)> = routes
                    .under_way
                    .iter()
                    .filter(|(_, under_way)| under_way.id == id)
                    .map(|(own, under_way)| (own, under_way.order))
                    .collect();
                alike.sort_by_key(|(_, order)| *order);
                // Of what is no longer under way nobody needs to hear.
                let Some((own, _)) = alike.pop() else { return Ok(()) };
                params.map(|params| crate::adapt::view::splice(params, [(span, own.as_json())]))
            }
        };
        self.write(rpc::ask(None, method, params.as_deref())).await
    }

    /// Sends an answer to what the server asked.
    pub(crate) async fn answer(&self, message: String) -> Result<(), ProcessError> {
        self.write(message).await
    }

    /// Listens for what belongs to no request; whoever listened before no longer does.
    pub(crate) fn listen(&self) -> Row {
        let (sender, receiver) = mpsc::channel(TO_READ);
        let mut routes = self.routes();
        while let Some(kept) = routes.kept.pop_front() {
            // As many fit as are ever kept.
            drop(sender.try_send(kept));
        }
        routes.listener = Some(sender);
        Row { messages: receiver, cancels: None }
    }

    async fn write(&self, message: String) -> Result<(), ProcessError> {
        tokio::select! {
            sent = self.lines.send(message) => sent.map_err(|_| ProcessError::Over),
            () = self.stop.cancelled() => Err(ProcessError::Over),
        }
    }

    /// Gives a line of the server to whom it is for.
    async fn take(&self, line: &str) {
        let message = match rpc::read(line.as_bytes()) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "an MCP server wrote a line that is no message");
                return;
            }
        };
        let (sender, text) = match message {
            Message::Response { id: Some(id), outcome } => {
                let Some(under_way) = self.routes().under_way.remove(&id) else { return };
                (under_way.sender, rpc::answer(Some(&under_way.id), outcome))
            }
            Message::Response { id: None, .. } => return,
            Message::Request { method, params, .. } | Message::Notification { method, params } => {
                match self.routes().route(&method, params) {
                    Some(sender) => (sender, line.to_owned()),
                    None => {
                        let mut routes = self.routes();
                        if routes.kept.len() < KEPT {
                            routes.kept.push_back(line.to_owned());
                        }
                        return;
                    }
                }
            }
        };
        // A reader that is slow for so long is gone; one that is gone needs nothing.
        drop(sender.send_timeout(text, Duration::from_secs(30)).await);
    }
}

impl Routes {
    /// Progress goes to what it is about; what is about the session to who listens; the rest to what was asked last.
    fn route(&self, method: &str, params: Option<&str>) -> Option<mpsc::Sender<String>> {
        let open = |under_way: &&UnderWay| !under_way.sender.is_closed();
        let latest = || {
            let open = self.under_way.values().filter(open);
            open.max_by_key(|under_way| under_way.order).map(|under_way| under_way.sender.clone())
        };
        let listener = || self.listener.clone().filter(|listener| !listener.is_closed());
        if method == "notifications/progress" {
            let token = params.and_then(|params| View::parse(params).ok()?.get("progressToken"));
            let token = token.map(|token| token.text().to_owned());
            let about = self.under_way.values().filter(open).filter(|under_way| under_way.progress == token);
            return about.max_by_key(|under_way| under_way.order).map(|under_way| under_way.sender.clone());
        }
        let of_session = method.ends_with("list_changed") || method == "notifications/resources/updated";
        if of_session { listener().or_else(latest) } else { latest().or_else(listener) }
    }

    /// Nobody waits for a process that is over.
    fn forget(&mut self) {
        self.under_way.clear();
        self.listener = None;
    }
}

/// What a request wants progress reported under.
fn progress(params: &str) -> Option<String> {
    Some(View::parse(params).ok()?.get("_meta")?.get("progressToken")?.text().to_owned())
}

/// Which request a notification cancels, and where its id stands.
fn cancelled(params: &str) -> Option<(Id, std::ops::Range<usize>)> {
    let value = View::parse(params).ok()?.get("requestId")?;
    Some((Id::read(value)?, value.span_in(params)))
}

async fn keep_writing(mut stdin: ChildStdin, mut lines: mpsc::Receiver<String>, stop: CancellationToken) {
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = stop.cancelled() => None,
        };
        let Some(mut line) = line else { return };
        // Within JSON's strings a line's end is escaped; between its tokens it is a space.
        if line.contains(['\n', '\r']) {
            line = line.replace(['\n', '\r'], " ");
        }
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// The next line, without its end; `None` at the end, or when one is longer than a body may be.
async fn line<R: AsyncBufRead + Unpin>(reader: &mut R, longest: usize) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let piece = reader.fill_buf().await.ok()?;
        if piece.is_empty() {
            return None;
        }
        let (taken, whole) = match piece.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (piece.len(), false),
        };
        line.extend_from_slice(piece.get(..taken)?);
        reader.consume(taken);
        if line.len() > longest {
            tracing::warn!("an MCP server wrote a line over the limit: it is ended");
            return None;
        }
        if whole {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() {
                return Some(text);
            }
            line.clear();
        }
    }
}

async fn log<R: AsyncBufRead + Unpin>(mut stderr: R, server: String, clean: impl Fn(&str) -> String) {
    let (mut since, mut count) = (Instant::now(), 0_usize);
    // What is longer than this is no log, and the pipe is closed.
    while let Some(text) = line(&mut stderr, 1 << 20).await {
        if since.elapsed() > Duration::from_secs(60) {
            (since, count) = (Instant::now(), 0);
        }
        count += 1;
        if count <= LOGGED_PER_MINUTE {
            let text: String = clean(&text).chars().filter(|c| !c.is_control()).take(MAX_LOGGED).collect();
            tracing::info!(server, stderr = text, "an MCP server says");
        }
    }
}

/// Its input is closed; if that does not end it, it is ended.
async fn end(mut child: Child, server: &str) {
    let status = match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            drop(child.start_kill());
            child.wait().await
        }
    };
    if let Ok(status) = status {
        tracing::info!(server, %status, "the process of an MCP server ended");
    }
}
