//! A file of JSON Lines in flat form, as the first document's backend writes it.
//!
//! A batch is one write at the file's end, so that several processes may share a file and a killed one leaves at most
//! one line that is cut. `flush` makes it durable. The file is set aside under the time of its last event when it is
//! full or old; nothing is ever removed. Who moves it away (`logrotate`) is noticed.

mod lines;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use greffier_event::Timestamp;

use crate::backend::{AuditBackend, BackendError, Rejected};
use crate::clock;
use crate::event::AuditEvent;
use crate::filter::Filter;

/// How long a file that was moved away may be written to: a look at it costs a system call.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Memory that is kept between batches.
const MAX_KEPT: usize = 1 << 20;
/// Files that may be set aside within one microsecond.
const MAX_SAME_TIME: u32 = 1_000;

/// Writes audit events to a file, and finds them again.
///
/// ```
/// use greffier_client::{AuditBackend, AuditEvent, EventType, FileBackend, Filter};
///
/// let dir = tempfile::tempdir()?;
/// let backend = FileBackend::open(dir.path().join("audit.jsonl"))?;
/// backend.write(&[AuditEvent::new(EventType::AgentStart).agent("agent-001")])?;
/// backend.flush()?;
/// assert_eq!(backend.query(&Filter::new().agent("agent-001"))?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileBackend {
    path: PathBuf,
    options: FileOptions,
    open: Mutex<Open>,
}

/// How a file is written.
#[derive(Clone, Debug)]
pub struct FileOptions {
    max_bytes: u64,
    max_age: Option<Duration>,
    numbered: bool,
}

impl Default for FileOptions {
    /// Set aside at 256 MiB, at no age; with each event's place among those of its producer.
    fn default() -> FileOptions {
        FileOptions { max_bytes: 256 << 20, max_age: None, numbered: true }
    }
}

impl FileOptions {
    /// Sets the file aside before it has more bytes than this; a batch that alone has more stands in a file of its own.
    pub fn max_bytes(mut self, bytes: u64) -> FileOptions {
        self.max_bytes = bytes;
        self
    }

    /// Sets the file aside when an event comes and it is older than this.
    pub fn max_age(mut self, age: Duration) -> FileOptions {
        self.max_age = Some(age);
        self
    }

    /// Whether lines say who numbered the event and how (`source`), by which a loss can be proved. Without it they
    /// have the first document's thirteen fields alone, where the event has no more.
    pub fn numbered(mut self, numbered: bool) -> FileOptions {
        self.numbered = numbered;
        self
    }

    /// Opens or creates a file to append to, and the folder that it is in.
    ///
    /// # Errors
    /// The system does not let it be opened, read and appended to.
    pub fn open(self, path: impl Into<PathBuf>) -> Result<FileBackend, BackendError> {
        let path = path.into();
        let open = Open::at(&path).map_err(BackendError::io(format!("opening {}", path.display())))?;
        Ok(FileBackend { path, options: self, open: Mutex::new(open) })
    }
}

/// The file that is written to.
#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    born: SystemTime,
    looked: Instant,
    /// The latest time that an event of it claims, as far as this process wrote them.
    latest: Timestamp,
    /// Whether its end is no line's end.
    torn: bool,
    /// Whether there may be something that is not durable.
    unsynced: bool,
    buffer: Vec<u8>,
}

impl Open {
    fn at(path: &Path) -> io::Result<Open> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let metadata = file.metadata()?;
        // Another process may be in the middle of a line.
        let locked = file.lock_shared().is_ok();
        let torn = is_torn(&mut file);
        if locked {
            file.unlock()?;
        }
        let torn = torn?;
        let born = metadata.created().or_else(|_| metadata.modified()).unwrap_or_else(|_| SystemTime::now());
        Ok(Open {
            file,
            bytes: metadata.len(),
            born,
            looked: Instant::now(),
            latest: Timestamp::from_micros(0),
            torn,
            unsynced: true,
            buffer: Vec::new(),
        })
    }

    /// Writes the buffer whole, or leaves the file as it was as far as that can be done. Who opens the file meanwhile
    /// waits, where the file system has locks, so that it does not take half a line for a torn one.
    fn write(&mut self) -> io::Result<()> {
        let locked = self.file.lock().is_ok();
        let written = self.write_all();
        if locked {
            self.file.unlock()?;
        }
        written
    }

    fn write_all(&mut self) -> io::Result<()> {
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.bytes += written as u64;
                    rest = rest.get(written..).unwrap_or_default();
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.take_back((self.buffer.len() - rest.len()) as u64);
                    return Err(error);
                }
            }
        }
        self.unsynced = true;
        Ok(())
    }

    /// Takes the bytes back that a broken write left at the end, unless another process wrote behind them.
    fn take_back(&mut self, bytes: u64) {
        let whole = self.file.metadata().is_ok_and(|metadata| metadata.len() == self.bytes);
        if bytes > 0 && whole && self.file.set_len(self.bytes - bytes).is_ok() {
            self.bytes -= bytes;
            self.torn = false;
        }
    }

    /// Whether the path names another file by now, or none; asked again only after a while.
    fn is_moved(&mut self, path: &Path) -> bool {
        self.looked.elapsed() >= LOOK_AGAIN && self.look(path)
    }

    fn look(&mut self, path: &Path) -> bool {
        self.looked = Instant::now();
        match (fs::metadata(path), self.file.metadata()) {
            (Ok(there), Ok(ours)) => {
                // Others append to it too.
                self.bytes = ours.len();
                !is_same(&there, &ours)
            }
            _ => true,
        }
    }
}

/// Whether a file has an end that is no line's end.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere an open file cannot be moved away.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

impl FileBackend {
    /// Opens or creates a file with the usual options.
    ///
    /// # Errors
    /// As [`FileOptions::open`].
    pub fn open(path: impl Into<PathBuf>) -> Result<FileBackend, BackendError> {
        FileOptions::default().open(path)
    }

    /// How files are written, to be changed and opened.
    pub fn options() -> FileOptions {
        FileOptions::default()
    }

    /// The file that is written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, events: &[AuditEvent]) -> io::Result<()> {
        let open = &mut *self.lock();
        if open.is_moved(&self.path) {
            // Whoever moved it away may want it whole.
            let _ = open.file.sync_data();
            *open = Open::at(&self.path)?;
        }
        open.buffer.clear();
        let mut latest = open.latest;
        for event in events {
            latest = latest.max(event.timestamp);
            event.write_flat(&mut open.buffer, self.options.numbered);
            open.buffer.push(b'\n');
        }
        let full = open.bytes > 0 && open.bytes + open.buffer.len() as u64 > self.options.max_bytes;
        let old = |open: &Open| {
            let age = open.born.elapsed().unwrap_or_default();
            open.bytes > 0 && self.options.max_age.is_some_and(|most| age > most)
        };
        if full || old(open) {
            let buffer = std::mem::take(&mut open.buffer);
            // Another process may have been first.
            if open.look(&self.path) {
                *open = Open::at(&self.path)?;
            } else {
                self.set_aside(open)?;
            }
            open.buffer = buffer;
        }
        // Looked at again: whoever wrote without a lock may have come to its end.
        if open.torn && is_torn(&mut open.file)? {
            open.buffer.insert(0, b'\n');
        }
        open.write()?;
        open.latest = latest;
        if open.buffer.capacity() > MAX_KEPT {
            open.buffer = Vec::new();
        }
        Ok(())
    }

    /// Renames the file after its last event, once it is durable, and begins another.
    fn set_aside(&self, open: &mut Open) -> io::Result<()> {
        open.file.sync_data()?;
        let latest = open.latest.max(clock::now());
        let free = (0..MAX_SAME_TIME)
            .map(|number| lines::aside(&self.path, latest, number))
            .find(|path| !path.exists())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(&self.path, free)?;
        *open = Open::at(&self.path)?;
        sync_folder(&self.path)
    }
}

/// Makes the names in a file's folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

impl AuditBackend for FileBackend {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        self.append(events).map_err(BackendError::io(format!("writing {}", self.path.display())))?;
        Ok(Vec::new())
    }

    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        lines::query(&self.path, filter)
            .map(|found| found.events)
            .map_err(BackendError::io(format!("reading {}", self.path.display())))
    }

    /// After a failed sync nobody knows what of the file is on the disk, and another try would not tell: the file is
    /// left as it is, and what follows goes to a new one.
    fn flush(&self) -> Result<(), BackendError> {
        let open = &mut *self.lock();
        if !open.unsynced {
            return Ok(());
        }
        let failed = |error: io::Error| {
            BackendError::NotDurable(format!("syncing {} failed: {error}", self.path.display()))
        };
        if let Err(error) = open.file.sync_data().and_then(|()| sync_folder(&self.path)) {
            let aside = lines::aside(&self.path, open.latest.max(clock::now()), 0);
            if fs::rename(&self.path, aside).is_ok()
                && let Ok(other) = Open::at(&self.path)
            {
                *open = other;
            }
            return Err(failed(error));
        }
        open.unsynced = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
