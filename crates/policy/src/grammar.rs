//! Bounds and grammar of the strings that a token gives us. They end up in the audit record and on screens.
//!
//! What is too long or holds a forbidden character refuses the token: cutting a role or a list of scopes off could
//! take away the very entry that a policy forbids on.

/// `sub`, agent, actor, session: real ones (URLs as client ids included) stay below this.
pub(crate) const MAX_TEXT: usize = 256;
/// One role; application role names and group paths fit.
pub(crate) const MAX_ROLE: usize = 128;
/// Roles of one token.
pub(crate) const MAX_ROLES: usize = 64;
/// One scope.
pub(crate) const MAX_SCOPE: usize = 128;
/// Scopes of one token.
pub(crate) const MAX_SCOPES: usize = 128;
/// The longest e-mail address that SMTP can deliver to (RFC 5321).
pub(crate) const MAX_EMAIL: usize = 254;
/// One tier name.
pub(crate) const MAX_TIER: usize = 64;

/// Text that reads as it is written: not empty, no control characters, nothing invisible or reversing, no white
/// space at the ends.
pub(crate) fn is_text(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.trim() == text && text.chars().all(is_plain)
}

/// A scope-token of RFC 6749, 3.3.
pub(crate) fn is_scope(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    !text.is_empty() && text.len() <= MAX_SCOPE && text.bytes().all(plain)
}

/// An issuer's URL as records hold it: no white space, no query, no fragment.
pub(crate) fn is_issuer(text: &str) -> bool {
    is_text(text, MAX_TEXT) && !text.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#'))
}

/// A tier's name: letters, digits, `.`, `_`, `-`.
pub(crate) fn is_tier(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= MAX_TIER && text.bytes().all(plain)
}

/// Something that can be an e-mail address; whether it is one only its owner knows.
pub(crate) fn is_email(text: &str) -> bool {
    let sides = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    sides && is_text(text, MAX_EMAIL) && !text.contains(char::is_whitespace)
}

/// No control, line-breaking, zero-width or direction-changing character.
pub(crate) fn is_plain(c: char) -> bool {
    let invisible = matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}');
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use greffier_event::limits;

    use super::*;

    /// What a token may say, a record can hold.
    #[test]
    fn bounds_fit_the_record() {
        for (ours, theirs) in [
            (MAX_TEXT, limits::USER_SUB.max),
            (MAX_TEXT, limits::AGENT_ID.max),
            (MAX_TEXT, limits::AGENT_VIA_SUB.max),
            (MAX_TEXT, limits::AGENT_VIA_ISS.max),
            (MAX_TEXT, limits::SESSION_ID.max),
            (MAX_TEXT, limits::SOURCE_OAUTH_CLIENT.max),
            (MAX_TIER, limits::AGENT_TIER.max),
            (MAX_ROLE, limits::USER_ROLE.max),
            (MAX_SCOPE, limits::POLICY_SCOPE.max),
            (MAX_ROLES, limits::USER_ROLES.max),
            (MAX_SCOPES, limits::POLICY_SCOPES.max),
        ] {
            assert!(ours <= theirs, "{ours} > {theirs}");
        }
    }
}
