//! `[[upstream]]` and `[[tool]]`: where calls may go, and with which credential.

use std::sync::Arc;

use greffier_event::ActionKind;
use greffier_gateway::{Host, Reach, ToolServer, Upstream, UpstreamKind};
use http::{HeaderName, Uri, header};

use super::super::raw::{RawTool, RawUpstream, Text};
use super::super::{SecretSource, ToolConfig, UpstreamConfig};
use super::{Checker, is_name, units};

/// Upstreams, and tools, of one node: each call looks through them.
const MAX_DESTINATIONS: usize = 1_000;
/// Globs of one upstream.
const MAX_GLOBS: usize = 256;
/// Headers that the connection owns: a credential cannot stand in them.
const RESERVED: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::CONTENT_TYPE,
    header::UPGRADE,
    header::TE,
];
/// Resources that are Greffier's own.
const OWN_SCHEMES: [&str; 3] = ["audit://", "policy://", "key://"];

impl Checker<'_> {
    pub(super) fn upstreams(&mut self, raw: &[RawUpstream]) -> Vec<UpstreamConfig> {
        self.names(raw.iter().map(|upstream| &upstream.name));
        raw.iter().filter_map(|upstream| self.upstream(upstream)).collect()
    }

    pub(super) fn tools(&mut self, raw: &[RawTool]) -> Vec<ToolConfig> {
        self.names(raw.iter().map(|tool| &tool.name));
        raw.iter().filter_map(|tool| self.tool(tool)).collect()
    }

    fn upstream(&mut self, raw: &RawUpstream) -> Option<UpstreamConfig> {
        let kind = match raw.kind.get_ref().as_str() {
            "openai" => Some(UpstreamKind::OpenAi),
            "anthropic" => Some(UpstreamKind::Anthropic),
            "gemini" => Some(UpstreamKind::Gemini),
            _ => {
                self.one_of(&raw.kind, &["openai", "anthropic", "gemini"]);
                None
            }
        };
        let base_url = self.base_url(&raw.base_url);
        let api_key = self.secret(&raw.name, "api_key", raw.api_key_env.as_ref(), raw.api_key_file.as_ref());
        if api_key.is_none() && raw.api_key_env.is_none() && raw.api_key_file.is_none() {
            self.problem(&raw.name, "the upstream needs its key: add `api_key_env` or `api_key_file`");
        }
        let models = raw.models.get_ref();
        let fine = |glob: &String| !glob.is_empty() && glob.chars().all(|c| c.is_ascii_graphic());
        if models.is_empty() || models.len() > MAX_GLOBS || !models.iter().all(fine) {
            self.problem(&raw.models, "expected names of models, in which `*` stands for any text");
        }
        let timeout = self.take(&raw.timeout, units::timeout(raw.timeout.get_ref()));
        let idle_timeout = self.take(&raw.idle_timeout, units::timeout(raw.idle_timeout.get_ref()));
        let upstream = Upstream {
            name: raw.name.get_ref().clone(),
            kind: kind?,
            base_url: base_url?,
            api_key: None,
            models: models.clone(),
            timeout: timeout?,
            idle_timeout: idle_timeout?,
            reach: Reach::default(),
        };
        let reach = self.reach(&raw.name, &raw.reach, Host::Named)?;
        Some(UpstreamConfig { upstream, reach, api_key: api_key? })
    }

    fn tool(&mut self, raw: &RawTool) -> Option<ToolConfig> {
        let kind = self.action_kind(&raw.kind)?;
        // Without one the document says where it is; until that is read, it is nowhere.
        let base_url = match &raw.base_url {
            Some(text) => self.base_url(text),
            None => Some(Uri::default()),
        };
        let host = if raw.base_url.is_some() { Host::Named } else { Host::Given };
        let reach = self.reach_alone(&raw.name, &raw.reach, host);
        let api = self.api(raw);
        if let Some(resource) = &raw.resource {
            self.resource_template(resource);
        }
        if let Some(subject) = &raw.subject {
            self.subject(subject, None, true);
        }
        for class in raw.classification.iter().filter(|class| !is_name(class.get_ref())) {
            self.name(class);
        }
        let secret =
            self.secret(&raw.name, "credential", raw.credential_env.as_ref(), raw.credential_file.as_ref());
        let header = self.credential_header(raw.credential_header.as_ref(), secret.is_some());
        let timeout = self.take(&raw.timeout, units::timeout(raw.timeout.get_ref()));
        let idle_timeout = self.take(&raw.idle_timeout, units::timeout(raw.idle_timeout.get_ref()));
        let tool = ToolServer {
            name: raw.name.get_ref().clone(),
            base_url: base_url?,
            resource: raw.resource.as_ref().map(|resource| resource.get_ref().clone()),
            subject: raw.subject.as_ref().map(|subject| subject.get_ref().clone()),
            classification: raw.classification.iter().map(|class| class.get_ref().clone()).collect(),
            credential: None,
            timeout: timeout?,
            idle_timeout: idle_timeout?,
            kind,
            reach: Reach::default(),
            api: Arc::default(),
        };
        Some(ToolConfig { tool, reach: reach?, api, credential: header.zip(secret) })
    }

    /// Whether something is about data.
    pub(super) fn action_kind(&mut self, kind: &Text) -> Option<ActionKind> {
        match kind.get_ref().as_str() {
            "tool" => Some(ActionKind::Tool),
            "data" => Some(ActionKind::Data),
            _ => {
                self.one_of(kind, &["tool", "data"]);
                None
            }
        }
    }

    pub(super) fn names<'t>(&mut self, names: impl Iterator<Item = &'t Text>) {
        let mut seen: Vec<&Text> = Vec::new();
        for name in names {
            self.name(name);
            if seen.contains(&name) {
                self.problem(name, "this name stands twice");
            }
            if seen.len() == MAX_DESTINATIONS {
                return self.problem(name, format!("more than {MAX_DESTINATIONS} of them"));
            }
            seen.push(name);
        }
    }

    /// An address without anything that would end up in records or be lost on the way.
    pub(super) fn base_url(&mut self, text: &Text) -> Option<Uri> {
        let uri: Result<Uri, _> = text.get_ref().parse();
        let uri = self.take(text, uri.map_err(|_| "expected a URL, as in \"https://api.example.com/v1\""))?;
        let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if !web {
            self.problem(text, "expected an http or https URL");
        } else if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            self.problem(text, "a URL holds no credentials here: name their source with `…_env` or `…_file`");
        } else if uri.query().is_some() || text.get_ref().contains('#') {
            self.problem(text, "expected a URL without query and fragment");
        } else {
            return Some(uri);
        }
        None
    }

    pub(super) fn secret(
        &mut self,
        owner: &Text,
        what: &str,
        variable: Option<&Text>,
        file: Option<&Text>,
    ) -> Option<SecretSource> {
        match (variable, file) {
            (Some(_), Some(_)) => {
                self.problem(owner, format!("`{what}_env` and `{what}_file` exclude each other"));
                None
            }
            (Some(variable), None) => {
                let name = variable.get_ref();
                let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if !good {
                    self.problem(variable, "expected the name of an environment variable, not the secret");
                }
                good.then(|| SecretSource::Env(name.clone()))
            }
            (None, Some(file)) => Some(SecretSource::File(self.path(file))),
            (None, None) => None,
        }
    }

    pub(super) fn credential_header(
        &mut self,
        written: Option<&Text>,
        has_secret: bool,
    ) -> Option<HeaderName> {
        let Some(written) = written else { return Some(header::AUTHORIZATION) };
        if !has_secret {
            self.problem(written, "a header without a value: add `credential_env` or `credential_file`");
        }
        let name =
            HeaderName::from_bytes(written.get_ref().as_bytes()).map_err(|_| "expected the name of a header");
        let name = self.take(written, name)?;
        if RESERVED.contains(&name) {
            self.problem(written, "this header belongs to the connection");
        }
        Some(name)
    }

    pub(super) fn resource_template(&mut self, resource: &Text) {
        let text = resource.get_ref();
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let named = scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        });
        let braces = text.split('{').skip(1).all(|behind| behind.find('}').is_some_and(|end| end > 0));
        if !named
            || !braces
            || text.matches('{').count() != text.matches('}').count()
            || !text.chars().all(|c| c.is_ascii_graphic())
        {
            self.problem(resource, "expected a URI, as in \"ehr://{path}\"");
        } else if OWN_SCHEMES.iter().any(|own| text.to_ascii_lowercase().starts_with(own)) {
            self.problem(resource, "`audit`, `policy` and `key` are greffier's own");
        }
    }
}
