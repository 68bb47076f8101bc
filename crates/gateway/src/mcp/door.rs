//! Who may knock: which pages of a browser, and what a caller without a good token is told.
//!
//! A page from anywhere can make a browser send requests to an address of this machine, and, by changing what its own
//! name resolves to, read the answers. So a request that says which page it comes from must come from one of ours, and
//! a listener on loopback answers to names of loopback only.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use super::server::McpSettings;

/// Where the metadata of a protected resource lies; behind it stands the resource's own path.
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What decides about the door.
#[derive(Debug, Default)]
pub(crate) struct Door {
    public_url: Option<String>,
    origins: Vec<String>,
    /// Whether the listener is on loopback.
    local: bool,
    /// The issuers callers get their tokens from.
    issuers: Vec<String>,
}

impl Door {
    pub(crate) fn new(settings: &McpSettings, local: bool, issuers: Vec<String>) -> Door {
        let public_url = settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Door { public_url, origins: settings.origins.clone(), local, issuers }
    }

    /// Whether a request may come in, by where it says that it comes from.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let origins = headers.get_all(ORIGIN).iter();
        let pages =
            origins.map(|origin| origin.to_str().unwrap_or("null")).all(|origin| self.is_ours(origin));
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let public = self.public_url.as_deref().and_then(authority);
        let named = !self.local || host.is_none_or(|host| is_loopback(host) || public == Some(host));
        pages && named
    }

    fn is_ours(&self, origin: &str) -> bool {
        let own = self.public_url.as_deref().and_then(|url| {
            let (scheme, _) = url.split_once("://")?;
            Some(format!("{scheme}://{}", authority(url)?))
        });
        own.as_deref() == Some(origin)
            || self.origins.iter().any(|allowed| allowed == origin)
            || (self.local && authority(origin).is_some_and(is_loopback))
    }

    /// The canonical URI of a server's entrance.
    pub(crate) fn resource(&self, server: &str, headers: &HeaderMap) -> String {
        format!("{}/mcp/{server}", self.base(headers))
    }

    /// The URI that a token made out to this server alone has as its audience; only where we know our own address.
    pub(crate) fn audience(&self, server: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}/mcp/{server}"))
    }

    fn base(&self, headers: &HeaderMap) -> String {
        match &self.public_url {
            Some(url) => url.clone(),
            // As the caller says: the answer goes to nobody else.
            None => {
                let host = headers.get(HOST).and_then(|host| host.to_str().ok());
                format!("http://{}", host.filter(|host| is_authority(host)).unwrap_or("localhost"))
            }
        }
    }

    /// RFC 9728: what this resource is, and who makes tokens for it.
    pub(crate) fn metadata(&self, server: &str, headers: &HeaderMap) -> String {
        serde_json::json!({
            "resource": self.resource(server, headers),
            "resource_name": format!("{server}, recorded by Greffier"),
            "authorization_servers": self.issuers,
            "bearer_methods_supported": ["header"],
        })
        .to_string()
    }

    /// Where that is told.
    pub(crate) fn metadata_url(&self, server: &str, headers: &HeaderMap) -> String {
        format!("{}{WELL_KNOWN}/mcp/{server}", self.base(headers))
    }
}

/// What a caller is told that needs a token, or another: `error` is a code of RFC 6750.
pub(crate) fn challenge(metadata_url: &str, error: Option<&str>) -> String {
    let error = error.map(|error| format!("error=\"{error}\", ")).unwrap_or_default();
    format!("Bearer {error}resource_metadata=\"{metadata_url}\"")
}

/// What stands between a URL's scheme and its path.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()
}

fn is_authority(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

/// Whether a host, with or without a port, is a name of loopback.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(public: Option<&str>, local: bool) -> Door {
        let settings = McpSettings {
            public_url: public.map(str::to_owned),
            origins: vec!["https://console.example".to_owned()],
            ..McpSettings::default()
        };
        Door::new(&settings, local, vec!["https://idp.example".to_owned()])
    }

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        rows.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn pages_from_elsewhere_do_not_come_in() {
        let check = |public, local, rows: &[(&'static str, &str)]| door(public, local).admits(&headers(rows));
        let public = Some("https://greffier.example/");
        assert!(check(None, true, &[("host", "127.0.0.1:4180")]));
        assert!(check(None, true, &[("host", "localhost:4180"), ("origin", "http://localhost:6274")]));
        assert!(check(None, true, &[("host", "[::1]:4180"), ("origin", "http://[::1]:4180")]));
        assert!(check(None, true, &[("host", "localhost"), ("origin", "https://console.example")]));
        assert!(check(public, true, &[("host", "greffier.example"), ("origin", "https://greffier.example")]));
        assert!(check(public, false, &[("host", "10.0.0.1")]));
        // Rebinding: the page's own name leads here.
        assert!(!check(None, true, &[("host", "evil.example:4180")]));
        assert!(!check(None, true, &[("host", "localhost"), ("origin", "http://evil.example")]));
        assert!(!check(None, true, &[("host", "localhost"), ("origin", "http://localhost.evil.example")]));
        assert!(!check(None, true, &[("host", "localhost"), ("origin", "null")]));
        assert!(!check(public, false, &[("host", "greffier.example"), ("origin", "http://localhost:1")]));
        assert!(!check(None, true, &[("origin", "http://localhost"), ("origin", "http://evil.example")]));
    }

    #[test]
    fn a_stranger_is_told_where_to_get_a_token() {
        let local = headers(&[("host", "127.0.0.1:4180")]);
        let rows = [
            door(None, true).metadata("crm", &local),
            challenge(
                &door(Some("https://greffier.example"), false).metadata_url("crm", &local),
                Some("invalid_token"),
            ),
            challenge(&door(None, true).metadata_url("crm", &headers(&[("host", "a\"b")])), None),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r#"
        {"resource":"http://127.0.0.1:4180/mcp/crm","resource_name":"crm, recorded by Greffier","authorization_servers":["https://idp.example"],"bearer_methods_supported":["header"]}
        Bearer error="invalid_token", resource_metadata="https://greffier.example/.well-known/oauth-protected-resource/mcp/crm"
        Bearer resource_metadata="http://localhost/.well-known/oauth-protected-resource/mcp/crm"
        "#);
    }
}
