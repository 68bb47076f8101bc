//! The only files that a query can reach: the segments of its own snapshot.
//!
//! DataFusion reads through an object store and finds it by address. A query's registry knows one address, and the store behind it holds one snapshot's
//! segments under their keys; it cannot list and cannot write. Whatever a statement says, there is no other file to name.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use greffier_ledger::Segment;
use url::Url;

const ADDRESS: &str = "greffier://segments";

/// Where queries find their segments.
pub(crate) fn address() -> DataFusionResult<ObjectStoreUrl> {
    ObjectStoreUrl::parse(ADDRESS)
}

/// The segments of one snapshot, for reading.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    files: HashMap<Path, Arc<Segment>>,
    missing: AtomicBool,
}

impl SegmentFiles {
    pub(crate) fn new(segments: &[Arc<Segment>]) -> SegmentFiles {
        let files = segments.iter().map(|segment| (Path::from(segment.key.as_str()), Arc::clone(segment)));
        SegmentFiles { files: files.collect(), missing: AtomicBool::new(false) }
    }

    /// Whether a segment was gone when it was to be read: it was superseded, and a newer snapshot has another.
    pub(crate) fn is_missing_one(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// Takes note that a segment was gone.
    pub(crate) fn miss_one(&self) {
        self.missing.store(true, Ordering::Relaxed);
    }

    async fn read(&self, location: &Path, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let Some(segment) = self.files.get(location) else { return Err(not_found(location)) };
        let path = segment.path.clone();
        let read = tokio::task::spawn_blocking(move || read_ranges(&path, &ranges));
        let read = read.await.map_err(|error| failed(location, error))?;
        read.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                self.miss_one();
            }
            failed(location, error)
        })
    }
}

fn read_ranges(path: &PathBuf, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
    let mut file = std::fs::File::open(path)?;
    let len = file.metadata()?.len();
    ranges.iter().map(|range| read_range(&mut file, range, len)).collect()
}

/// A range comes from the file's own footer: beyond the file it would only ask for memory.
fn read_range(file: &mut std::fs::File, range: &Range<u64>, len: u64) -> io::Result<Bytes> {
    let wanted = range.end.checked_sub(range.start).filter(|_| range.end <= len);
    let wanted =
        wanted.and_then(|wanted| usize::try_from(wanted).ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut buffer = vec![0; wanted];
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut buffer)?;
    Ok(buffer.into())
}

/// Says which segment, never where it lies.
fn failed(location: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    tracing::warn!(segment = %location, error = %source, "a segment cannot be read");
    Error::Generic { store: "segments", source: format!("{location}: {source}").into() }
}

fn not_found(location: &Path) -> Error {
    Error::NotFound { path: location.to_string(), source: "it is no segment of this snapshot".into() }
}

fn refused(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "segments".to_owned() }
}

impl Display for SegmentFiles {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("segments")
    }
}

#[async_trait]
impl ObjectStore for SegmentFiles {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(segment) = self.files.get(location) else { return Err(not_found(location)) };
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: Default::default(),
            size: segment.bytes,
            e_tag: None,
            version: None,
        };
        let range = match options.range {
            Some(range) => range.as_range(segment.bytes).map_err(|error| failed(location, error))?,
            None => 0..segment.bytes,
        };
        let read = if options.head { Vec::new() } else { self.read(location, vec![range.clone()]).await? };
        let payload = GetResultPayload::Stream(stream::iter(read.into_iter().map(Ok)).boxed());
        Ok(GetResult { payload, meta, range, attributes: Default::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.read(location, ranges.to_vec()).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused("put"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("put"))
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(refused("delete")) }).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(async { Err(refused("list")) }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refused("list"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused("copy"))
    }
}

/// Knows one store and takes no other.
#[derive(Debug)]
pub(crate) struct OnlySegments(pub(crate) Arc<SegmentFiles>);

impl ObjectStoreRegistry for OnlySegments {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        if url.as_str().trim_end_matches('/') == ADDRESS {
            return Ok(Arc::clone(&self.0) as Arc<dyn ObjectStore>);
        }
        Err(DataFusionError::Plan("there are no files to read here: the table is `events`".to_owned()))
    }
}
