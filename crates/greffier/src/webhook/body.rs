//! What a webhook is sent, and how it is signed.

use aws_lc_rs::hmac;
use bytes::Bytes;
use greffier_event::{EventId, Tenant};
use greffier_gateway::Secret;
use greffier_query::{Finding, Severity};
use serde_json::json;

/// The finding in full, with its place on the trail.
pub(super) fn json(
    trail: &Tenant,
    index: u64,
    delivery: EventId,
    finding: &Finding,
) -> serde_json::Result<Bytes> {
    let body = json!({ "trail": trail, "index": index, "delivery": delivery, "finding": finding });
    Ok(serde_json::to_vec(&body)?.into())
}

/// One message for Slack. Names come from callers: nothing in them is a link, a mention or a format.
pub(super) fn slack(trail: &Tenant, finding: &Finding) -> serde_json::Result<Bytes> {
    let sign = match finding.severity {
        Severity::High => ":red_circle:",
        Severity::Medium => ":large_orange_circle:",
        Severity::Low => ":white_circle:",
    };
    let head = format!("{sign} *{}* ({}) on {trail}", finding.kind.as_str(), finding.severity.as_str());
    let says = plain(&finding.description);
    let foot = format!("{} to {}, {}", finding.since, finding.until, finding.id);
    let section = |text: serde_json::Value| json!({ "type": "section", "text": text });
    let body = json!({
        "text": format!("{}: {says}", finding.kind.as_str()),
        "blocks": [
            section(json!({ "type": "mrkdwn", "text": head })),
            section(json!({ "type": "plain_text", "text": finding.description, "emoji": false })),
            { "type": "context", "elements": [{ "type": "plain_text", "text": foot }] },
        ],
    });
    Ok(serde_json::to_vec(&body)?.into())
}

/// Slack's own escapes: what is left begins no link and no mention.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `v1=` and the HMAC-SHA256 of `<timestamp>.<body>`, in hexadecimal.
pub(super) fn signature(secret: &Secret, seconds: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    format!("v1={}", hex::encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use greffier_event::Timestamp;
    use greffier_query::{FindingKind, State};

    use super::*;

    fn finding() -> Finding {
        let time: Timestamp = "2026-03-06T14:32:07Z".parse().unwrap();
        let id = EventId("00000000-0000-8000-8000-000000000001".parse().unwrap());
        Finding {
            id,
            kind: FindingKind::PermissionIssues,
            agent_id: Some("<!channel> & co".to_owned()),
            user: None,
            severity: Severity::High,
            state: State::New,
            since: time,
            until: time,
            count: 6,
            total: None,
            rate: None,
            what: None,
            description: "<!channel> & co was denied 6 times.".to_owned(),
            threshold: None,
            event_ids: vec![id],
            recorded: Some(7),
            by: None,
        }
    }

    fn check(body: &Bytes) -> String {
        serde_json::to_string_pretty(&serde_json::from_slice::<serde_json::Value>(body).unwrap()).unwrap()
    }

    #[test]
    fn bodies() {
        let trail = Tenant::new("acme").unwrap();
        insta::assert_snapshot!(check(&json(&trail, 7, finding().id, &finding()).unwrap()), @r#"
        {
          "trail": "acme",
          "index": 7,
          "delivery": "00000000-0000-8000-8000-000000000001",
          "finding": {
            "id": "00000000-0000-8000-8000-000000000001",
            "type": "permission_issues",
            "agent_id": "<!channel> & co",
            "severity": "high",
            "state": "new",
            "since": "2026-03-06T14:32:07.000000Z",
            "until": "2026-03-06T14:32:07.000000Z",
            "count": 6,
            "description": "<!channel> & co was denied 6 times.",
            "event_ids": [
              "00000000-0000-8000-8000-000000000001"
            ],
            "recorded": 7
          }
        }
        "#);
        insta::assert_snapshot!(check(&slack(&trail, &finding()).unwrap()), @r#"
        {
          "text": "permission_issues: &lt;!channel&gt; &amp; co was denied 6 times.",
          "blocks": [
            {
              "type": "section",
              "text": {
                "type": "mrkdwn",
                "text": ":red_circle: *permission_issues* (high) on acme"
              }
            },
            {
              "type": "section",
              "text": {
                "type": "plain_text",
                "text": "<!channel> & co was denied 6 times.",
                "emoji": false
              }
            },
            {
              "type": "context",
              "elements": [
                {
                  "type": "plain_text",
                  "text": "2026-03-06T14:32:07.000000Z to 2026-03-06T14:32:07.000000Z, 00000000-0000-8000-8000-000000000001"
                }
              ]
            }
          ]
        }
        "#);
    }

    /// `printf '1772807527.{}' | openssl dgst -sha256 -hmac secret`
    #[test]
    fn signed_as_openssl_does() {
        let secret = Secret::new("secret".to_owned());
        insta::assert_snapshot!(signature(&secret, 1_772_807_527, b"{}"), @"v1=6844f49afcc602076e10c2e435153fb124fc033e27225a02cf164e65c0344574");
    }
}
