//! What a governor hands out: bytes as they may go, what is known at the end, why a stream has to be cut.

use greffier_event::Finding;
use greffier_safety::Entity;

use super::MAX_CHANNELS;
use crate::adapt::ReplyFacts;
use crate::sse::SseError;

/// Why a stream cannot be governed further; it has to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Its framing cannot be read.
    #[error(transparent)]
    Sse(#[from] SseError),
    /// What cannot be read cannot be inspected.
    #[error("the upstream sent an event whose data is not valid JSON")]
    NotJson,
    /// More fields at once than any real reply has.
    #[error("the upstream streams more than {MAX_CHANNELS} fields in one reply")]
    TooManyFields,
    /// Text after a field's end could complete what was let go at that end.
    #[error("the upstream went on with a text that it had ended")]
    AfterEnd,
}

/// What may be sent on after a [`StreamGovernor::push`].
#[derive(Default)]
pub struct StreamOutput {
    /// Governed bytes, for the caller at once.
    pub bytes: Vec<u8>,
    /// The reply's last event, to be sent when its outcome is durable. Nothing comes after it.
    pub terminal: Option<Vec<u8>>,
    /// The rules block what was found: the stream stops before it.
    pub blocked: Option<Entity>,
}

/// What is known when a stream is over.
#[derive(Default)]
pub struct StreamEnd {
    /// Text still held back, where the stream ended without saying so.
    pub bytes: Vec<u8>,
    /// Model, tokens and id.
    pub facts: ReplyFacts,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The reply as JSON, in the shape it had if it were not streamed; everything found is taken out.
    pub completion: Vec<u8>,
    /// Whether the reply was longer than a completion may be, and `completion` is its beginning.
    pub truncated: bool,
    /// Whether the upstream itself ended the reply, well or with an error.
    pub complete: bool,
    /// Whether the upstream reported an error within the stream.
    pub upstream_error: bool,
}
