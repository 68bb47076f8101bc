//! How a command ends: the exit codes that scripts rely on, and errors that know theirs.

use std::borrow::Cow;
use std::fmt;

/// The exit codes, fixed for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Ok = 0,
    /// It could not.
    Error = 1,
    /// It was asked in a way it does not understand.
    Usage = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// The caller may not.
    NotAuthorised = 4,
    /// A trail or a proof is not what was signed.
    Tampering = 5,
    /// Findings, and `--fail-on` asked to fail on them.
    Findings = 6,
}

/// The lines of `--help` that promise them.
pub(crate) const HELP: &str = "\
Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 not authorised, 5 tampering found, 6 findings with --fail-on.
Data goes to stdout, everything else to stderr.";

/// An error that says how to exit, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// A stable name for programs.
    pub(crate) code: Cow<'static, str>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The name of the request that a server refused, to find it on its trail.
    pub(crate) request_id: Option<String>,
    /// Where in a question the trouble is.
    pub(crate) place: Option<Box<Place>>,
}

/// A place in a question.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// In bytes from its beginning.
    pub(crate) at: usize,
    /// The question, to point into; empty until somebody who knows it says so.
    pub(crate) question: String,
}

impl Failure {
    /// An error with a name for programs; exit code 1.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Failure {
        let (code, message) = (code.into(), message.into());
        Failure { exit: Exit::Error, code, message, hint: None, request_id: None, place: None }
    }

    /// A command line that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new("usage", message).exit(Exit::Usage)
    }

    /// With another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Failure {
        self.exit = exit;
        self
    }

    /// Of a question, at this byte.
    pub(crate) fn at(mut self, at: Option<usize>) -> Failure {
        self.place = at.map(|at| Box::new(Place { at, question: String::new() }));
        self
    }

    /// With advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

/// The error of a question, with the question.
pub(crate) fn asked(error: anyhow::Error, text: &str) -> anyhow::Error {
    match error.downcast::<Failure>() {
        Ok(mut failure) => {
            if let Some(place) = &mut failure.place {
                text.clone_into(&mut place.question);
            }
            failure.into()
        }
        Err(error) => error,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
