//! `on_record_failure`: which calls may go on while nothing can be recorded.

use greffier_gateway::{Class, Continues};
use toml::Spanned;

use super::super::raw::{Raw, RawByClass, RawFailure};
use super::Checker;

impl Checker<'_> {
    pub(super) fn on_record_failure(&mut self, raw: &Raw) -> Continues {
        let whole = &raw.on_record_failure;
        let continues: Continues = match whole.get_ref() {
            RawFailure::Word(word) => {
                let goes_on = self.goes_on(whole, word);
                Class::ALL.into_iter().filter(|_| goes_on).collect()
            }
            RawFailure::ByClass(classes) => self.by_class(classes, raw),
        };
        // Its identities are never verified: the word would promise what never happens.
        if raw.issuer.is_empty() && !continues.is_empty() {
            let message = "calls go on unrecorded for verified callers only, and the development issuer verifies \
                           nobody: add an [[issuer]], or write `refuse`";
            self.problem(whole, message);
        }
        continues
    }

    fn by_class(&mut self, classes: &RawByClass, raw: &Raw) -> Continues {
        let default = classes.default.as_ref().is_some_and(|word| self.goes_on(word, word.get_ref()));
        let mut continues = Vec::new();
        for (class, word) in
            [(Class::InvokeModel, &classes.invoke_model), (Class::CallTool, &classes.call_tool)]
        {
            let goes_on = word.as_ref().map_or(default, |word| self.goes_on(word, word.get_ref()));
            if goes_on {
                continues.push(class);
            }
            let classified =
                !raw.tool.is_empty() && raw.tool.iter().all(|tool| !tool.classification.is_empty());
            if let (Class::CallTool, true, true, Some(word)) = (class, goes_on, classified, word) {
                let message = "every [[tool]] here is classified, and no call for classified data goes on \
                               unrecorded: write `refuse`";
                self.problem(word, message);
            }
        }
        continues.into_iter().collect()
    }

    fn goes_on<T>(&mut self, at: &Spanned<T>, word: &str) -> bool {
        match word {
            "continue" => return true,
            "refuse" => {}
            _ => self.problem(at, "expected `refuse` or `continue`"),
        }
        false
    }
}
