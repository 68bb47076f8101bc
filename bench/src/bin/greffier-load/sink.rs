//! The least that an ingest can be: a server that takes a body, undoes its coding, counts its lines, and answers as
//! long as Greffier does. Nothing is kept.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Failure;

/// A receipt of the usual length.
const RECEIPT: &str = r#"{"line":1000,"id":"0199c0de-5e55-7000-8000-000000000001","tenant":"default","index":1000000,"leaf":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","receipt":"default 1000000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","repeated":false}"#;
/// Longest body that is taken, its coding undone.
const MAX_BODY: usize = 64 << 20;

pub(crate) fn run(port: u16) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (connection, _) = listener.accept().await?;
            connection.set_nodelay(true)?;
            tokio::spawn(async move {
                drop(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service_fn(answer))
                        .await,
                );
            });
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
    let coded = request.headers().contains_key("content-encoding");
    let body = request.into_body().collect().await?.to_bytes();
    let body = if coded { zstd::bulk::decompress(&body, MAX_BODY)?.into() } else { body };
    let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
    let receipts = vec![RECEIPT; lines].join(",");
    let answer = format!("{{\"receipts\":[{receipts}],\"errors\":[]}}");
    Ok(Response::builder().header("content-type", "application/json").body(Full::from(answer))?)
}
