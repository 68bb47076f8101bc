//! The policy set: texts in, validated once, every problem with its place.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest;
use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use crate::caller::Callers;
use crate::cedar::Names;
use crate::datetimes::Datetimes;
use crate::slices::Slices;
use crate::verdict::Rule;
use crate::{SCHEMA, grammar};

/// Files of one policy set; a directory with more is not a policy directory.
const MAX_FILES: usize = 256;
/// All texts together: they are recorded whenever they change.
const MAX_BYTES: usize = 1024 * 1024;
/// Policies of one set: a call that is in the scope of all of them evaluates them all.
const MAX_POLICIES: usize = 1_000;
/// Longest `@id`: it stands in every record that the policy decides.
const MAX_ID: usize = 200;

/// A validated policy set.
pub struct Policies {
    /// The policies, by the places that `slices` gives them.
    pub(crate) rules: Vec<Rule>,
    pub(crate) slices: Slices,
    pub(crate) callers: Callers,
    pub(crate) names: Names,
    pub(crate) datetimes: Datetimes,
    /// Whether any policy looks at a call's arguments.
    pub(crate) reads_parameters: bool,
    places: BTreeMap<String, PolicyPlace>,
    warnings: Vec<PolicyProblem>,
    digest: String,
    texts: Vec<(String, String)>,
}

/// Where a policy stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPlace {
    /// The file's name, as given to [`Policies::load`].
    pub file: String,
    /// Line of its first character, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One thing that is wrong with a policy text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Where.
    pub place: PolicyPlace,
    /// What, and what to do about it.
    pub message: String,
}

/// Everything that is wrong with a policy set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors(pub Vec<PolicyProblem>);

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyPlace { file, line, column } = &self.place;
        write!(f, "{file}:{line}:{column}: {}", self.message)
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies")
            .field("digest", &self.digest)
            .field("policies", &self.places.len())
            .finish()
    }
}

impl Policies {
    /// Reads and validates policy files (name and text, in any order). Every policy is static, carries a unique
    /// `@id` that can stand in a record, and passes Cedar's strict validation against [`SCHEMA`]. No file at all is
    /// a valid set, which denies everything.
    pub fn load(mut files: Vec<(String, String)>) -> Result<Policies, PolicyErrors> {
        files.sort();
        check_size(&files)?;
        let mut reading = Reading::default();
        for (name, text) in &files {
            reading.file(name, text);
        }
        let Reading { set, places, mut problems } = reading;
        let (schema, names) = vocabulary()?;
        let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        let place = |id: &PolicyId| places.get(AsRef::<str>::as_ref(id));
        for error in result.validation_errors() {
            problems.extend(found(&files, place(error.policy_id()), &DetailedError::from(error)));
        }
        if !problems.is_empty() {
            return Err(PolicyErrors(once_per_place(problems)));
        }
        let warnings = result
            .validation_warnings()
            .flat_map(|warning| found(&files, place(warning.policy_id()), &DetailedError::from(warning)))
            .collect();
        let reads_parameters = set.policies().any(reads_parameters);
        let rules = set.policies().map(Rule::new).collect();
        let slices = Slices::new(&schema, set.policies());
        let callers = Callers::default();
        let digest = digest_of(&files);
        Ok(Policies {
            rules,
            slices,
            callers,
            names,
            datetimes: Datetimes::default(),
            reads_parameters,
            places,
            warnings,
            digest,
            texts: files,
        })
    }

    /// `sha256:` and the hex digest over names and texts, sorted by name.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The files it was loaded from, sorted by name.
    pub fn texts(&self) -> &[(String, String)] {
        &self.texts
    }

    /// The policies by `@id`, with where each stands.
    pub fn places(&self) -> &BTreeMap<String, PolicyPlace> {
        &self.places
    }

    /// What is allowed but probably not meant, such as a policy that can never apply.
    pub fn warnings(&self) -> &[PolicyProblem] {
        &self.warnings
    }
}

#[derive(Default)]
struct Reading {
    set: PolicySet,
    places: BTreeMap<String, PolicyPlace>,
    problems: Vec<PolicyProblem>,
}

impl Reading {
    fn file(&mut self, name: &str, text: &str) {
        let parsed: PolicySet = match text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                let start = place(name, text, 0);
                for error in cedar_policy::ParseErrors::iter(&errors) {
                    self.problems.extend(problems(name, text, &start, &DetailedError::from(error)));
                }
                return;
            }
        };
        for template in parsed.templates() {
            let at = template.as_ref().loc().map_or(0, |loc| loc.start());
            self.problem(name, text, at, "templates are not supported: write the policy out for each case");
        }
        for policy in parsed.policies() {
            self.policy(name, text, policy);
        }
    }

    fn policy(&mut self, name: &str, text: &str, policy: &Policy) {
        let at = policy.as_ref().loc().map_or(0, |loc| loc.start());
        let Some(id) = policy.annotation("id") else {
            return self.problem(
                name,
                text,
                at,
                "the policy has no @id: give it one that reads as a sentence",
            );
        };
        if !grammar::is_text(id, MAX_ID) {
            let message =
                format!("the @id must be plain text of 1 to {MAX_ID} bytes without spaces at its ends");
            return self.problem(name, text, at, &message);
        }
        if let Some(other) = self.places.get(id) {
            let message = format!("the @id \"{id}\" is taken by the policy at {}:{}", other.file, other.line);
            return self.problem(name, text, at, &message);
        }
        if self.places.len() >= MAX_POLICIES {
            return self.problem(name, text, at, &format!("more than {MAX_POLICIES} policies"));
        }
        // From here on the policy goes by its @id, also inside Cedar.
        if let Err(error) = self.set.add(policy.new_id(PolicyId::new(id))) {
            return self.problem(name, text, at, &error.to_string());
        }
        self.places.insert(id.to_owned(), place(name, text, at));
    }

    fn problem(&mut self, name: &str, text: &str, at: usize, message: &str) {
        self.problems.push(PolicyProblem { place: place(name, text, at), message: message.to_owned() });
    }
}

fn check_size(files: &[(String, String)]) -> Result<(), PolicyErrors> {
    let at_start = |file: &str, message: String| {
        let place = PolicyPlace { file: file.to_owned(), line: 1, column: 1 };
        Err(PolicyErrors(vec![PolicyProblem { place, message }]))
    };
    if let Some((name, _)) = files.get(MAX_FILES) {
        return at_start(name, format!("more than {MAX_FILES} policy files"));
    }
    let mut bytes = 0_usize;
    for (name, text) in files {
        bytes = bytes.saturating_add(text.len());
        if bytes > MAX_BYTES {
            return at_start(name, format!("the policy files are larger than {MAX_BYTES} bytes together"));
        }
    }
    for pair in files.windows(2) {
        if let [(one, _), (other, _)] = pair
            && one == other
        {
            return at_start(one, "two policy files have this name".to_owned());
        }
    }
    Ok(())
}

/// Our own schema and names; a failure is a fault of this crate, reported like any other.
fn vocabulary() -> Result<(Schema, Names), PolicyErrors> {
    let fault = |error: DetailedError| {
        let name = "schema.cedarschema";
        PolicyErrors(problems(name, SCHEMA, &place(name, SCHEMA, 0), &error))
    };
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| fault((&error).into()))?;
    let names = Names::new().map_err(|error| fault((&*error).into()))?;
    Ok((schema, names))
}

/// An error's place is given in the file its policy came from.
fn found(
    files: &[(String, String)],
    policy: Option<&PolicyPlace>,
    error: &DetailedError,
) -> Vec<PolicyProblem> {
    let file = policy.and_then(|place| files.iter().find(|(name, _)| *name == place.file));
    match (policy, file) {
        (Some(start), Some((name, text))) => problems(name, text, start, error),
        _ => problems("", "", &place("", "", 0), error),
    }
}

/// One problem per error, at its first label, or at `start` if it has none.
fn problems(name: &str, text: &str, start: &PolicyPlace, error: &DetailedError) -> Vec<PolicyProblem> {
    let at = error.source_locations.first().map(|label| place(name, text, label.loc.start));
    let message = match &error.help {
        Some(help) => format!("{} ({help})", error.message),
        None => error.message.clone(),
    };
    let own = PolicyProblem { place: at.unwrap_or_else(|| start.clone()), message };
    let related = error.related.iter().flat_map(|related| problems(name, text, start, related));
    std::iter::once(own).chain(related).collect()
}

fn place(file: &str, text: &str, offset: usize) -> PolicyPlace {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    PolicyPlace {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// In the order of the files. Validation repeats itself for every action that a policy covers: of several problems
/// at one place the first stands for all.
fn once_per_place(mut problems: Vec<PolicyProblem>) -> Vec<PolicyProblem> {
    let by_place =
        |p: &PolicyProblem| (p.place.file.clone(), p.place.line, p.place.column, p.message.clone());
    problems.sort_by_cached_key(by_place);
    let same_place = |a: &PolicyProblem, b: &PolicyProblem| a.place == b.place;
    let first = |group: &[PolicyProblem]| match group {
        [] => None,
        [only] => Some(only.clone()),
        [first, rest @ ..] => {
            let message = format!("{}; and {} more like it", first.message, rest.len());
            Some(PolicyProblem { message, ..first.clone() })
        }
    };
    problems.chunk_by(same_place).filter_map(first).collect()
}

/// Asked of the parsed policy, where no escape can hide a name. What cannot be told counts as yes.
fn reads_parameters(policy: &Policy) -> bool {
    policy.to_json().map_or(true, |json| json.to_string().contains("parameters"))
}

/// Names and texts with their lengths, so that no two sets have the same bytes.
fn digest_of(files: &[(String, String)]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for field in files.iter().flat_map(|(name, text)| [name, text]) {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        context.update(&length.to_be_bytes());
        context.update(field.as_bytes());
    }
    format!("sha256:{}", hex::encode(context.finish().as_ref()))
}

#[cfg(test)]
mod tests;
