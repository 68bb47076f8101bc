//! What a request itself calls its session: by our header, by the header that its agent sends, by its MCP session.

use greffier_event::SessionLink;
use http::HeaderMap;

/// Longest name of a session kept; UUIDs have 36 characters.
const MAX_NAME: usize = 128;

/// By header, the first that is there counts. Below our own: Claude Code, Codex (the second spelling is older), and
/// what further agents and libraries send under a name that many gateways know.
const HEADERS: [(&str, SessionLink); 9] = [
    ("greffier-session-id", SessionLink::Header),
    ("x-claude-code-session-id", SessionLink::Agent),
    ("session-id", SessionLink::Agent),
    ("session_id", SessionLink::Agent),
    ("x-session-id", SessionLink::Agent),
    ("x-opencode-session", SessionLink::Agent),
    ("x-session-affinity", SessionLink::Agent),
    ("x-litellm-session-id", SessionLink::Agent),
    ("helicone-session-id", SessionLink::Agent),
];

/// The session that a request's headers name.
pub(super) fn by_header(headers: &HeaderMap) -> Option<(String, SessionLink)> {
    HEADERS.iter().find_map(|(name, link)| Some((read(headers, name)?, *link)))
}

/// The MCP session. One of a client may carry calls of many conversations, so it is asked last.
pub(super) fn by_mcp(headers: &HeaderMap) -> Option<String> {
    read(headers, "mcp-session-id")
}

/// A session as W3C baggage names it: the conversation of OpenTelemetry's conventions, or a session.
pub(super) fn by_baggage(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("baggage")?.to_str().ok()?;
    ["gen_ai.conversation.id", "session.id"].iter().find_map(|wanted| {
        let value = text.split(',').find_map(|member| {
            let (name, value) = member.split(';').next()?.split_once('=')?;
            (name.trim() == *wanted).then(|| value.trim())
        })?;
        name(&percent_encoding::percent_decode_str(value).decode_utf8().ok()?)
    })
}

/// The session within Anthropic's `metadata.user_id`, as Claude Code writes it: in a JSON text, formerly at the end of
/// a name. Any other value names a user and no session.
pub(super) fn by_user_id(user_id: &str) -> Option<String> {
    if user_id.starts_with('{') {
        let fields: serde_json::Value = serde_json::from_str(user_id).ok()?;
        return fields.get("session_id")?.as_str().and_then(name);
    }
    let (user, session) = user_id.rsplit_once("_session_")?;
    let is_id = |b: u8| b.is_ascii_hexdigit() || b == b'-';
    (user.starts_with("user_") && session.len() >= 8 && session.bytes().all(is_id))
        .then(|| name(session))
        .flatten()
}

/// A name fit for a session: one line, bounded.
pub(super) fn name(text: &str) -> Option<String> {
    let name: String = text.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    (!name.is_empty()).then_some(name)
}

fn read(headers: &HeaderMap, header: &str) -> Option<String> {
    headers.get(header).and_then(|value| value.to_str().ok()).and_then(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)]) -> String {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        format!("{:?} mcp {:?} baggage {:?}", by_header(&headers), by_mcp(&headers), by_baggage(&headers))
    }

    #[test]
    fn headers() {
        insta::assert_snapshot!(check(&[("session-id", "codex"), ("greffier-session-id", " ours ")]), @r#"Some(("ours", Header)) mcp None baggage None"#);
        insta::assert_snapshot!(check(&[("session-id", "codex"), ("x-claude-code-session-id", "cc"), ("mcp-session-id", "m")]), @r#"Some(("cc", Agent)) mcp Some("m") baggage None"#);
        insta::assert_snapshot!(check(&[("session-id", "  ")]), @"None mcp None baggage None");
        insta::assert_snapshot!(check(&[("baggage", "a=b, session.id=s%201;p=1,gen_ai.conversation.id=conv")]), @r#"None mcp None baggage Some("conv")"#);
        insta::assert_snapshot!(check(&[("baggage", "session.id=s%201;p=1")]), @r#"None mcp None baggage Some("s 1")"#);
    }

    #[test]
    fn user_ids() {
        let new =
            r#"{"device_id":"d","account_uuid":"","session_id":"54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe"}"#;
        assert_eq!(by_user_id(new).as_deref(), Some("54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe"));
        let old = "user_ab12_account__session_57a121ec-f78c-48c3-a745-e3036a3ecc33";
        assert_eq!(by_user_id(old).as_deref(), Some("57a121ec-f78c-48c3-a745-e3036a3ecc33"));
        for none in ["alice", "user_1_session_", "user_1_session_weekly", "{", r#"{"session_id":7}"#] {
            assert_eq!(by_user_id(none), None, "{none}");
        }
    }
}
