//! `[findings]` and `[[webhook]]`: what becomes of findings, and who is told.

use std::ops::RangeInclusive;
use std::time::Duration;

use greffier_query::Severity;

use super::super::raw::{Raw, RawWebhook};
use super::super::{FindingsConfig, UrlSource, WebhookConfig};
use super::{Checker, units};

/// Webhooks of one node: each reads the trails for itself.
const MAX_WEBHOOKS: usize = 16;

/// How long a receiver may be away before findings are given up: a slip of the pen at one end, at the other findings
/// that hold up those of today.
const GIVE_UP: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);

impl Checker<'_> {
    pub(super) fn findings(&mut self, raw: &Raw) -> FindingsConfig {
        self.names(raw.webhook.iter().map(|webhook| &webhook.name));
        if let Some(beyond) = raw.webhook.get(MAX_WEBHOOKS) {
            self.problem(&beyond.name, format!("there are more than {MAX_WEBHOOKS} webhooks"));
        }
        if let Some(first) = raw.webhook.first().filter(|_| !raw.findings.record) {
            self.problem(&first.name, "a webhook tells what is recorded: `[findings] record` must be true");
        }
        FindingsConfig {
            record: raw.findings.record,
            positions: self.path(&raw.findings.positions),
            webhooks: raw.webhook.iter().filter_map(|webhook| self.webhook(webhook)).collect(),
        }
    }

    fn webhook(&mut self, raw: &RawWebhook) -> Option<WebhookConfig> {
        let hidden = self.secret(&raw.name, "url", raw.url_env.as_ref(), raw.url_file.as_ref());
        let url = match (&raw.url, hidden) {
            (Some(url), None) => self.base_url(url).map(|url| UrlSource::Plain(url.to_string())),
            (None, Some(source)) => Some(UrlSource::Secret(source)),
            (Some(url), Some(_)) => {
                self.problem(url, "`url`, `url_env` and `url_file` exclude each other");
                None
            }
            (None, None) => {
                self.problem(&raw.name, "the webhook needs an address: add `url`, `url_env` or `url_file`");
                None
            }
        };
        let secret = self.secret(&raw.name, "secret", raw.secret_env.as_ref(), raw.secret_file.as_ref());
        self.one_of(&raw.format, &["json", "slack"]);
        let slack = raw.format.get_ref() == "slack";
        if !slack && secret.is_none() {
            let message = "without a signature nobody can tell who speaks: add `secret_env` or `secret_file`";
            self.problem(&raw.name, message);
        }
        self.one_of(&raw.min_severity, &Severity::ALL.map(Severity::as_str));
        let named = |severity: &Severity| severity.as_str() == raw.min_severity.get_ref();
        let least = Severity::ALL.into_iter().find(named)?;
        let give_up_after = units::duration(raw.give_up_after.get_ref()).and_then(|time| {
            let good = GIVE_UP.contains(&time);
            good.then_some(time).ok_or_else(|| "expected at least 1s and at most 30d".to_owned())
        });
        let give_up_after = self.take(&raw.give_up_after, give_up_after)?;
        Some(WebhookConfig {
            name: raw.name.get_ref().clone(),
            url: url?,
            secret,
            slack,
            least,
            give_up_after,
        })
    }
}
