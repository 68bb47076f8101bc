//! Which field of the reply a streamed text belongs to.

use serde_json::{Value, json};

use super::event::Form;

/// One string of the reply: of which choice or block, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Field {
    /// Index of the choice, item, content block or candidate; `None` for the message itself.
    pub(super) of: Option<u64>,
    pub(super) path: Vec<Step>,
}

/// One step into a value. Keys are [words](is_word): they are safe to show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    /// The item that says it has this `index`.
    Item(u64),
}

impl Field {
    pub(super) fn new(of: Option<u64>, keys: &[&str]) -> Field {
        Field { of, path: keys.iter().map(|key| Step::Key((*key).to_owned())).collect() }
    }

    /// The field of that name below this one.
    pub(super) fn with(&self, key: &str) -> Field {
        let mut field = self.clone();
        field.path.push(Step::Key(key.to_owned()));
        field
    }

    /// The name of the field itself.
    pub(super) fn key(&self) -> &str {
        match self.path.last() {
            Some(Step::Key(key)) => key,
            _ => "",
        }
    }

    /// Whether its text is a JSON text in pieces.
    pub(super) fn is_json_fragment(&self) -> bool {
        matches!(self.key(), "arguments" | "partial_json")
    }

    /// Where it stands in the reply, as findings say it.
    pub(super) fn pointer(&self, form: Form) -> String {
        if let (Form::Candidates, Some(of)) = (form, self.of) {
            // A chunk has one part of each text.
            return format!("/candidates/{of}/content/parts/0/text");
        }
        let mut pointer = String::from(match form {
            Form::Choices => "/choices",
            Form::Items if self.of.is_none() => "",
            Form::Items => "/output",
            Form::Blocks => "/content",
            Form::Candidates => "/candidates",
        });
        let steps = self.path.iter().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(index) => index.to_string(),
        });
        for step in self.of.map(|of| of.to_string()).into_iter().chain(steps) {
            pointer.push('/');
            pointer.push_str(&step);
        }
        pointer
    }

    /// Where it would stand if the reply were not streamed, as rules say it.
    pub(super) fn place(&self, form: Form) -> String {
        match form {
            Form::Choices => self.pointer(form).replacen("/delta", "/message", 1),
            Form::Items | Form::Candidates => self.pointer(form),
            Form::Blocks => self.pointer(form).replacen("/partial_json", "/input", 1),
        }
    }

    /// Sets this field's text in a choice or block, making what lies on the way.
    pub(super) fn set_in(&self, mut object: &mut Value, text: &str) {
        for step in &self.path {
            object = match step {
                Step::Key(key) => {
                    if !object.is_object() {
                        *object = json!({});
                    }
                    let Some(members) = object.as_object_mut() else { return };
                    members.entry(key.as_str()).or_insert(Value::Null)
                }
                Step::Item(index) => {
                    if !object.is_array() {
                        *object = json!([]);
                    }
                    let Some(items) = object.as_array_mut() else { return };
                    let same = |item: &Value| item.get("index") == Some(&Value::from(*index));
                    let at = items.iter().position(same).unwrap_or(items.len());
                    if at == items.len() {
                        items.push(json!({ "index": index }));
                    }
                    let Some(item) = items.get_mut(at) else { return };
                    item
                }
            };
        }
        *object = Value::from(text);
    }
}

/// Whether a name is a plain word, as protocols name their fields: no sensitive value has this form.
pub(super) fn is_word(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
