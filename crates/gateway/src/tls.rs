//! TLS at the listener: the certificate and its key, read again when their files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

use crate::http_client::{self, TlsError};

/// Largest file of certificates or a key: past this it is the wrong file.
const MAX_FILE: u64 = 1024 * 1024;
/// How often the files are looked at.
const PACE: Duration = Duration::from_secs(1);

/// Where the listener's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain in PEM, its own certificate first.
    pub cert: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Whether they can be used now.
    ///
    /// # Errors
    /// When they cannot be read, are no PEM, or do not go together.
    pub fn check(&self) -> Result<(), TlsFileError> {
        load(self).map(drop)
    }
}

/// Why the listener has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// The file cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Read(PathBuf, io::Error),
    /// What is in it cannot be used.
    #[error("`{0}`: {1}")]
    Tls(PathBuf, TlsError),
}

/// What tells one state of the files from the next.
type Seen = [Option<(SystemTime, u64)>; 2];

/// The certificate in force.
pub(crate) struct Certificate {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    first: Seen,
}

impl Certificate {
    pub(crate) fn load(files: TlsFiles) -> Result<Certificate, TlsFileError> {
        let first = seen(&files);
        let config = ArcSwap::from(load(&files)?);
        Ok(Certificate { files, config, first })
    }

    /// Makes a TLS connection; a caller that does not come to the point within `patience` is let go.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        patience: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.config.load_full());
        tokio::time::timeout(patience, acceptor.accept(stream)).await?
    }

    /// Looks at the files once a second. A certificate that cannot be used leaves the old one in force: it is often
    /// only half written.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut last = self.first;
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let files = self.files.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let now = seen(&files);
                (now, (now != last).then(|| load(&files)))
            });
            let Ok((now, changed)) = looked.await else { continue };
            last = now;
            match changed {
                None => {}
                Some(Ok(config)) => {
                    self.config.store(config);
                    tracing::info!("the listener's certificate changed");
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "the listener's changed certificate cannot be used; the old one stays");
                }
            }
        }
    }
}

fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsFileError> {
    let (chain, key) = (read(&files.cert)?, read(&files.key)?);
    let of = |path: &Path| {
        let path = path.to_owned();
        move |error| TlsFileError::Tls(path, error)
    };
    let chain = http_client::certificates(&chain).map_err(of(&files.cert))?;
    let key = http_client::private_key(&key).map_err(of(&files.key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| of(&files.cert)(TlsError::from(error)))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsFileError> {
    let failed = |error| TlsFileError::Read(path.to_owned(), error);
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(failed(io::Error::other("it is larger than 1 MiB")));
    }
    std::fs::read(path).map(Zeroizing::new).map_err(failed)
}

fn seen(files: &TlsFiles) -> Seen {
    let state = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    [state(&files.cert), state(&files.key)]
}
