//! Another analyser, asked about what a call carries before it is decided: it speaks the `/analyze` of Presidio.
//!
//! It is asked once for all texts of a call, for a bounded time, and only if the configuration says so; streams never
//! wait for it. What it finds is joined to what we find. Where it fails, the configuration says whether the call goes
//! on, and the record says that it was not asked to the end.

use std::time::Duration;

use bytes::Bytes;
use greffier_event::{Content, Place};
use greffier_safety::{Entity, Others, texts};
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use crate::http_client::{self, HttpClient};
use crate::inspect::is_json;

/// Bytes of text that it is asked about: as much as a model of names reads in a few seconds.
const MAX_TEXT: usize = 256 * 1024;
/// Bytes of its answer: some thousand findings.
const MAX_ANSWER: usize = 1024 * 1024;
/// Between two texts: no name goes over it.
const BETWEEN: &str = "\n\n";

/// Another analyser.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The URL that is posted to.
    pub url: Uri,
    /// Longest wait for its answer.
    pub timeout: Duration,
    /// What it is asked for; all else that it says is left out.
    pub entities: Vec<Entity>,
    /// Least score that counts.
    pub score: f64,
    /// Language of the texts.
    pub language: String,
    /// What becomes of a call that it did not answer.
    pub on_failure: OnFailure,
}

/// What becomes of a call that another analyser did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is denied.
    Deny,
    /// It goes on with what we found ourselves.
    Continue,
}

/// Why there is no answer. The record has these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("analyser_timeout")]
    Timeout,
    #[error("analyser_unreachable")]
    Unreachable,
    #[error("analyser_refused")]
    Refused,
    #[error("analyser_answer_invalid")]
    Invalid,
    #[error("analyser_text_too_large")]
    TooLarge,
}

#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
    language: &'a str,
    entities: Vec<&'static str>,
    score_threshold: f64,
}

#[derive(Deserialize)]
struct Answer {
    entity_type: String,
    /// Places count characters.
    start: usize,
    end: usize,
    score: f64,
}

impl Remote {
    /// Asks about all texts of a call.
    pub(crate) async fn analyse(
        &self,
        client: &HttpClient,
        contents: &[Content],
    ) -> Result<Others, Unanswered> {
        let texts = gather(contents)?;
        let joined = texts.join(BETWEEN);
        if joined.is_empty() {
            return Ok(Others::default());
        }
        if joined.len() > MAX_TEXT {
            return Err(Unanswered::TooLarge);
        }
        let question = Question {
            text: &joined,
            language: &self.language,
            entities: self.entities.iter().map(|entity| entity.name()).collect(),
            score_threshold: self.score,
        };
        let body = serde_json::to_vec(&question).map_err(|_| Unanswered::Invalid)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Unanswered::Unreachable)?;
        let exchange = async {
            let mut reply = client.request(request).await.map_err(|_| Unanswered::Unreachable)?;
            if !reply.status().is_success() {
                return Err(Unanswered::Refused);
            }
            http_client::read_body(reply.body_mut(), MAX_ANSWER, self.timeout)
                .await
                .map_err(|_| Unanswered::Invalid)
        };
        let answer =
            tokio::time::timeout(self.timeout, exchange).await.map_err(|_| Unanswered::Timeout)??;
        self.read(&texts, &joined, &answer)
    }

    /// What an answer about these texts, joined, says about each of them.
    fn read(&self, texts: &[String], joined: &str, answer: &[u8]) -> Result<Others, Unanswered> {
        let answers: Vec<Answer> = serde_json::from_slice(answer).map_err(|_| Unanswered::Invalid)?;
        // Where each character starts, and where the last one ends.
        let places: Vec<usize> = joined.char_indices().map(|(at, _)| at).chain([joined.len()]).collect();
        let mut starts = Vec::with_capacity(texts.len());
        let mut at = 0;
        for text in texts {
            starts.push(at);
            at += text.len() + BETWEEN.len();
        }
        let mut others = Others::default();
        for Answer { entity_type, start, end, score } in answers {
            let entity = self.entities.iter().find(|entity| entity.name() == entity_type);
            let (Some(&entity), Some(&start), Some(&end)) = (entity, places.get(start), places.get(end))
            else {
                continue;
            };
            let text = starts.partition_point(|&first| first <= start).saturating_sub(1);
            let (Some(text), Some(&first)) = (texts.get(text), starts.get(text)) else { continue };
            if score >= self.score {
                #[expect(clippy::cast_possible_truncation, reason = "a score has two digits")]
                others.add(text, entity, start - first, (end - first).min(text.len()), score as f32);
            }
        }
        Ok(others)
    }
}

/// The texts that inspection will come to see.
fn gather(contents: &[Content]) -> Result<Vec<String>, Unanswered> {
    let mut all = std::collections::BTreeSet::new();
    for content in contents.iter().filter(|content| content.place == Place::Body) {
        let Ok(text) = std::str::from_utf8(&content.bytes) else { continue };
        if is_json(&content.media) {
            all.extend(texts(text).map_err(|_| Unanswered::TooLarge)?);
        } else if !content.media.starts_with("application/x-www-form-urlencoded") && !text.trim().is_empty() {
            all.insert(text.to_owned());
        }
    }
    Ok(all.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote() -> Remote {
        Remote {
            url: Uri::from_static("http://127.0.0.1:1/analyze"),
            timeout: Duration::from_secs(1),
            entities: vec![Entity::Person],
            score: 0.5,
            language: "en".to_owned(),
            on_failure: OnFailure::Deny,
        }
    }

    fn check(answer: &str) -> String {
        let body = r#"{"messages":[{"content":"Zoë and Bob"},{"content":"é Eve"}]}"#;
        let texts = vec!["Zoë and Bob".to_owned(), "é Eve".to_owned()];
        let joined = texts.join(BETWEEN);
        match remote().read(&texts, &joined, answer.as_bytes()) {
            Ok(others) => {
                let scanner = greffier_safety::Scanner::new().with_others(others);
                let found = greffier_safety::json::inspect(body.as_bytes(), &scanner).unwrap();
                String::from_utf8(found.redact(body.as_bytes(), |_| true)).unwrap()
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn places_count_characters_and_stay_within_a_text() {
        insta::assert_snapshot!(check(r#"[{"entity_type":"PERSON","start":0,"end":3,"score":0.85,"analysis_explanation":null},{"entity_type":"PERSON","start":15,"end":18,"score":0.5}]"#), @r#"{"messages":[{"content":"<PERSON> and Bob"},{"content":"é <PERSON>"}]}"#);
        insta::assert_snapshot!(check(r#"[{"entity_type":"PERSON","start":8,"end":18,"score":1},{"entity_type":"NRP","start":0,"end":3,"score":1},{"entity_type":"PERSON","start":0,"end":3,"score":0.4},{"entity_type":"PERSON","start":7,"end":999,"score":1},{"entity_type":"PERSON","start":18,"end":15,"score":1}]"#), @r#"{"messages":[{"content":"Zoë and <PERSON>"},{"content":"é Eve"}]}"#);
        assert_eq!(check("[]"), r#"{"messages":[{"content":"Zoë and Bob"},{"content":"é Eve"}]}"#);
        for wrong in
            ["", "{}", r#"[{"entity_type":"PERSON","start":-1,"end":3,"score":1}]"#, r#"{"error":"No text"}"#]
        {
            assert_eq!(check(wrong), "analyser_answer_invalid", "{wrong}");
        }
    }
}
