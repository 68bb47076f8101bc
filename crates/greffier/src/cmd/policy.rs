//! `policy check`: validates a folder of policies and lists them by id.

use std::path::{Path, PathBuf};

use greffier_policy::{PolicyErrors, PolicyProblem};
use serde::Serialize;

use crate::config::{Config, Problem};
use crate::exit::Exit;
use crate::output::Output;
use crate::wire;

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    place: String,
}

pub(super) fn check(dir: Option<PathBuf>, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let dir = match dir {
        Some(dir) => dir,
        None => Config::load(named)?.policy_dir,
    };
    let policies = match wire::policies(&dir) {
        Ok(policies) => policies,
        Err(error) => {
            return match error.downcast_ref::<PolicyErrors>() {
                Some(PolicyErrors(found)) => {
                    let found: Vec<Problem> = found.iter().map(|problem| located(&dir, problem)).collect();
                    super::problems(output, "policy", &found)
                }
                None => Err(error),
            };
        }
    };
    for warning in policies.warnings() {
        output.warn(&located(&dir, warning).to_string());
    }
    let rows: Vec<Row<'_>> = policies
        .places()
        .iter()
        .map(|(id, place)| Row { id, place: format!("{}:{}", dir.join(&place.file).display(), place.line) })
        .collect();
    output.rows(&["id", "place"], &rows)?;
    if rows.is_empty() {
        output.warn("there is no policy: every call is denied");
    }
    output.note(&format!("{} policies, {}", rows.len(), policies.digest()));
    Ok(Exit::Ok)
}

fn located(dir: &Path, problem: &PolicyProblem) -> Problem {
    let place = &problem.place;
    let file = dir.join(&place.file);
    Problem::new(format!("{}:{}:{}", file.display(), place.line, place.column), problem.message.clone())
}
