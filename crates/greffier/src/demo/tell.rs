//! How the demo speaks: what goes on to stderr, what came of it to stdout, within 100 columns.

use std::path::PathBuf;

use greffier_event::Timestamp;
use serde::Serialize;

use super::answers::Answer;
use super::folder::Folder;
use super::tampering::Tampered;
use super::week::{Week, date};
use crate::output::{Format, Output};

/// Columns of a line.
const WIDTH: usize = 100;
/// Before what can be typed, and what is quoted.
const INDENT: &str = "    ";

/// Everything that came of the week.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// What the scripted part took.
    pub(super) seconds: u64,
    pub(super) requests: usize,
    pub(super) entries: u64,
    pub(super) trails: usize,
    /// Events that an agent elsewhere reported of itself.
    pub(super) claims: u64,
    pub(super) answers: Vec<Answer>,
    pub(super) model_saw: String,
    /// Sealed parts that were opened and held against their entries.
    pub(super) parts: u64,
    /// What the check says of a copy with one changed byte.
    pub(super) tampered: Tampered,
}

/// Speaks for the demo.
pub(super) struct Teller {
    output: Output,
    /// The folder, as commands name it.
    place: PathBuf,
    /// Whether it goes with the run.
    passing: bool,
}

impl Teller {
    pub(super) fn new(output: Output, folder: &Folder) -> Teller {
        Teller { output, place: folder.shown().to_owned(), passing: folder.passing }
    }

    /// What is about to happen.
    pub(super) fn opening(&self, renewed: bool, week: Week) {
        if renewed {
            self.note(&format!("`{}` is from an earlier demo: made anew", self.place.display()));
        }
        self.note(&format!(
            "simulating a week, {} to {}: two organisations around a real gateway",
            date(week.start()),
            date(week.last_day())
        ));
    }

    /// A remark.
    pub(super) fn note(&self, text: &str) {
        self.output.progress_done();
        self.output.note(text);
    }

    /// How far the week has come.
    pub(super) fn progress(&self, done: usize, of: usize, now: Timestamp) {
        self.output.progress(&format!("{}: {done} of {of} requests", date(now)));
    }

    /// Says what came of it. `tenant` is whose trail was asked.
    pub(super) fn tell(&self, told: &Told, week: Week, tenant: &str) -> anyhow::Result<()> {
        self.output.progress_done();
        match self.output.format {
            Format::Table => self.people(told, week, tenant),
            Format::Json => self.output.object(&[], told),
            Format::Jsonl | Format::Csv => self.output.rows(&["question", "command"], &told.answers),
        }
    }

    /// What somebody may try now.
    pub(super) fn next_steps(&self, url: &str, user: &str, auditor: &str, tenant: &str) {
        let (data, user, auditor) = (self.path("data"), self.path(user), self.path(auditor));
        self.note(&format!(
            r#"
The week is over; the gateway serves on, by real time, at {url}. Ctrl-C stops it.

  $ export TOKEN=$(cat {user})
  $ curl -si {url}/v1/chat/completions -H "Authorization: Bearer $TOKEN" \
    -H 'content-type: application/json' \
    -d '{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"My SSN is 536-90-4399."}}]}}'

  $ curl -s '{url}/api/v1/events?q=decision:deny&limit=3' \
    -H "Authorization: Bearer $(cat {auditor})"

  $ greffier findings --data {data} --tenant {tenant}

Everybody's token lies beside these two, good for 12 hours. People, models and tools are simulated
and live in this process."#
        ));
    }

    fn people(&self, told: &Told, week: Week, tenant: &str) -> anyhow::Result<()> {
        let (from, to) = (date(week.start()), date(week.last_day()));
        self.text(&format!(
            "A simulated week, {from} to {to}, acted out in {} s: {} requests, {} entries on {} trails; {} of \
             them are claims of an agent elsewhere, marked as such.",
            told.seconds, told.requests, told.entries, told.trails, told.claims
        ))?;
        for (answer, number) in told.answers.iter().zip(1..) {
            self.answer(answer, number, tenant)?;
        }
        self.text("")?;
        self.text("What the model saw in place of the patient's number:")?;
        self.output.line(&format!("{INDENT}{}", told.model_saw))?;
        self.text("")?;
        self.text(&format!(
            "The trails: VERIFIED. {} entries and {} sealed parts, checked against the public keys that an \
             auditor took out and kept.",
            told.entries, told.parts
        ))?;
        let Tampered { file, byte, found } = &told.tampered;
        self.text(&format!("A copy with one bit changed, in byte {byte} of {file}: TAMPERING FOUND."))?;
        for found in found {
            wrapped(INDENT, found.split(' ')).iter().try_for_each(|line| self.output.line(line))?;
        }
        self.text("")?;
        let words = [
            "greffier verify".to_owned(),
            self.path("data"),
            format!("--trust {}", self.path("trust")),
            format!("--keys {}", self.path("keys")),
        ];
        self.command(words.iter().map(String::as_str))?;
        if self.passing {
            self.note(
                "`greffier demo` without --once keeps its folder and serves on: there these commands work",
            );
        }
        Ok(())
    }

    fn answer(&self, answer: &Answer, number: usize, tenant: &str) -> anyhow::Result<()> {
        self.text("")?;
        self.text(&format!("{number}. {}", answer.question))?;
        self.text("")?;
        self.output.rows(answer.columns, &answer.rows)?;
        if !answer.remark.is_empty() {
            self.text(&format!("({})", answer.remark))?;
        }
        self.text("")?;
        let place = [format!("--data {}", self.path("data")), format!("--tenant {tenant}")];
        self.command(
            ["greffier"].into_iter().chain(answer.command.split(' ')).chain(place.iter().map(String::as_str)),
        )
    }

    /// Something in the folder, as a shell takes it.
    fn path(&self, name: &str) -> String {
        shell_word(&self.place.join(name).display().to_string())
    }

    fn text(&self, text: &str) -> anyhow::Result<()> {
        wrapped("", text.split(' ')).iter().try_for_each(|line| Ok(self.output.line(line)?))
    }

    fn command<'a>(&self, words: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
        command(words).iter().try_for_each(|line| Ok(self.output.line(line)?))
    }
}

/// Words in lines that fit.
fn wrapped<'a>(indent: &str, words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

/// A command in lines that a shell takes as they are: within quotes a line break is as good as a space, outside it
/// is escaped.
fn command<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    // Deeper than it is shown: room for the escape at the end.
    let lines = wrapped(&" ".repeat(2 * INDENT.len()), words);
    let last = lines.len().saturating_sub(1);
    let mut quoted = false;
    let shown = lines.iter().enumerate().map(|(at, line)| {
        quoted ^= line.matches(['\'', '"']).count() % 2 == 1;
        let prompt = if at == 0 { "  $ " } else { INDENT };
        let escape = if quoted || at == last { "" } else { " \\" };
        format!("{prompt}{}{escape}", line.trim_start())
    });
    shown.collect()
}

/// A word that a shell takes as it is.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_where_a_reader_and_a_shell_can_go_on() {
        let words = "word ".repeat(24);
        insta::assert_snapshot!(wrapped("  ", words.trim().split(' ')).join("\n"), @r"
          word word word word word word word word word word word word word word word word word word word
          word word word word word
        ");
        let sql = format!("greffier sql \"SELECT {words}FROM events\"");
        let place = ["--data a/long/way/down/to/the/data", "--tenant x", "--and something", "--else"];
        insta::assert_snapshot!(command(sql.split(' ').chain(place)).join("\n"), @r#"
        $ greffier sql "SELECT word word word word word word word word word word word word word word
          word word word word word word word word word word FROM events" \
          --data a/long/way/down/to/the/data --tenant x --and something --else
        "#);
    }

    #[test]
    fn odd_paths_are_one_word() {
        assert_eq!(shell_word("greffier-demo/data"), "greffier-demo/data");
        assert_eq!(shell_word("it's here; rm"), r"'it'\''s here; rm'");
    }
}
