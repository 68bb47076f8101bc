//! What can go wrong with a question, for programs and for people.

use std::time::Duration;

use datafusion::common::DataFusionError;
use greffier_ledger::ReadError;

/// A search that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {at})")]
pub struct SearchError {
    /// Where, in bytes from the start of the text.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The search cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The statement cannot be understood or evaluated.
    #[error("{0}")]
    SqlSyntax(String),
    /// The statement is more than reading.
    #[error("{0}")]
    SqlRefused(String),
    /// The question needs more memory than it may have, or is too long.
    #[error("{0}")]
    TooLarge(String),
    /// The answer took too long.
    #[error("no answer within {} s: narrow the question, by `since:` for example", .0.as_secs_f64())]
    Timeout(Duration),
    /// Opening contents took too long.
    #[error(
        "no answer within {} s, as contents are opened one by one: narrow the search, by `since:` for example; `text:WORD` \
         looks at the events alone", .0.as_secs_f64()
    )]
    Opening(Duration),
    /// Others are being answered.
    #[error("too many questions at once: ask again")]
    Busy,
    /// The trail cannot be read.
    #[error("{0}")]
    Read(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    /// The error's name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            QueryError::Search(_) => "search_syntax",
            QueryError::SqlSyntax(_) => "sql_syntax",
            QueryError::SqlRefused(_) => "sql_refused",
            QueryError::TooLarge(_) => "too_large",
            QueryError::Timeout(_) | QueryError::Opening(_) => "timeout",
            QueryError::Busy => "busy",
            QueryError::Read(_) => "read",
            QueryError::Internal(_) => "internal",
        }
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> QueryError {
        QueryError::Read(error.to_string())
    }
}

/// Arrow's words for a pattern that does not compile.
const NO_PATTERN: &str = "Regular expression did not compile";

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> QueryError {
        let root = error.find_root();
        let text = || root.strip_backtrace();
        match root {
            DataFusionError::ResourcesExhausted(_) => {
                QueryError::TooLarge(format!("the question needs too much memory: narrow it ({})", text()))
            }
            DataFusionError::ObjectStore(_)
            | DataFusionError::ParquetError(_)
            | DataFusionError::IoError(_)
            | DataFusionError::External(_) => {
                QueryError::Read(format!("a segment cannot be read: {}; run `greffier verify`", text()))
            }
            // What the engine takes for a defect of its own is the asker's pattern.
            DataFusionError::Internal(said) if said.contains(NO_PATTERN) => {
                QueryError::SqlSyntax("the regular expression is none, or too large once compiled".to_owned())
            }
            DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) => QueryError::Internal(text()),
            _ => QueryError::SqlSyntax(text()),
        }
    }
}
