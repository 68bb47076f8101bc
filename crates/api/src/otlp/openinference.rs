//! OpenInference: the kind of a span says what was done, messages are spelt out attribute by attribute.

use greffier_event::{Action, ActionKind, DecisionKind, Effect, OutcomeStatus, PolicyRecord, Usage};

use super::claim::{Claim, Deed};
use super::flat;
use super::model::{Origin, Span};
use super::told::{Told, action, model_call, model_uri, named, of_span, provider, usage, whole};

pub(super) const PROTOCOL: &str = "otlp.openinference";
/// The attribute that every span of this dialect has.
pub(super) const KIND: &str = "openinference.span.kind";

const INPUT: &[&str] = &["input.value"];
const OUTPUT: &[&str] = &["output.value"];

/// Reads a span; none if it is only a step of the framework.
pub(super) fn span(span: &Span, origin: &Origin) -> Option<Claim> {
    let told = Told { attributes: &span.attributes, origin };
    let name = span.name.as_str();
    let mut claim = of_span(span, origin, PROTOCOL);
    match told.text(&[KIND])?.to_ascii_uppercase().as_str() {
        "LLM" => model(&mut claim, told, "chat", &["llm.input_messages", "llm.prompts", "llm.tools"]),
        "EMBEDDING" => model(&mut claim, told, "embeddings", &[]),
        "RERANKER" => model(&mut claim, told, "rerank", &["reranker.input_documents"]),
        "TOOL" => {
            claim.deed = Deed::Tool;
            let call_id = told.text(&["tool_call.id", "tool.id", "tool.call_id"]).map(str::to_owned);
            let name = told.text(&["tool.name", "tool_call.function.name"]).unwrap_or(name);
            claim.action = Action { call_id, ..action(ActionKind::Tool, name) };
            let given = told.value(&["tool_call.function.arguments", "input.value"]);
            (claim.input, claim.output) = (whole("parameters", given), whole("result", told.value(OUTPUT)));
        }
        "AGENT" => {
            claim.deed = Deed::Agent;
            claim.action = action(ActionKind::Agent, told.text(&["agent.name"]).unwrap_or(name));
            (claim.input, claim.output) =
                (whole("prompt", told.value(INPUT)), whole("completion", told.value(OUTPUT)));
        }
        "RETRIEVER" => {
            claim.deed = Deed::Access;
            claim.action = Action { effect: Some(Effect::Read), ..action(ActionKind::Data, name) };
            claim.uri = told.text(&["retrieval.documents.0.document.id"]).map(str::to_owned);
            claim.input = whole("parameters", told.value(INPUT));
            claim.output = named("result", flat::content(told, &[], "retrieval.documents"))
                .or_else(|| whole("result", told.value(OUTPUT)));
        }
        "GUARDRAIL" => {
            claim.deed = Deed::Check;
            claim.action = action(ActionKind::Agent, name);
            // It says what came out in words of its own; only a failed one surely stopped something.
            if claim.status == OutcomeStatus::Failure {
                claim.status = OutcomeStatus::Denied;
                claim.policy = Some(denied(name));
            }
            (claim.input, claim.output) =
                (whole("parameters", told.value(INPUT)), whole("result", told.value(OUTPUT)));
        }
        "EVALUATOR" => {
            claim.action = action(ActionKind::Agent, name);
            (claim.input, claim.output) =
                (whole("parameters", told.value(INPUT)), whole("result", told.value(OUTPUT)));
        }
        // A chain or a prompt template is how the framework goes about it, not an act.
        _ => return None,
    }
    claim.forget_vectors();
    claim.move_out();
    Some(claim)
}

impl Claim {
    /// Numbers by the thousand, which no person reads.
    fn forget_vectors(&mut self) {
        if let Some(attributes) = self.metadata.get_mut("attributes").and_then(|all| all.as_object_mut()) {
            attributes.retain(|name, _| !name.ends_with("embedding.vector"));
        }
    }
}

/// A decision that somebody else took.
fn denied(rule: &str) -> PolicyRecord {
    PolicyRecord {
        decision: DecisionKind::Deny,
        reason: None,
        rule: super::claim::fit(&greffier_event::limits::POLICY_RULE, rule),
        scopes: Vec::new(),
        version: None,
    }
}

fn model(claim: &mut Claim, told: Told<'_>, name: &str, spelt: &[&str]) {
    let model = told.text(&[
        "llm.output_model_name",
        "llm.model_name",
        "llm.input_model_name",
        "embedding.model_name",
        "reranker.model_name",
    ]);
    claim.action = model_call(name, response_id(told).as_deref());
    claim.uri = model_uri(model);
    claim.usage = usage(Usage {
        cache_read_tokens: told.count(&["llm.token_count.prompt_details.cache_read"]),
        cache_write_tokens: told.count(&["llm.token_count.prompt_details.cache_write"]),
        cost_micros: told.millionths(&["llm.cost.total"]),
        input_tokens: told.count(&["llm.token_count.prompt"]),
        model: model.map(str::to_owned),
        output_tokens: told.count(&["llm.token_count.completion"]),
        provider: told.text(&["llm.provider", "llm.system"]).map(provider),
        reasoning_tokens: told.count(&["llm.token_count.completion_details.reasoning"]),
    });
    let mut prompt = told.contents(INPUT);
    for prefix in spelt {
        prompt.extend(flat::content(told, &[], prefix));
    }
    let mut completion = told.contents(OUTPUT);
    for prefix in ["llm.output_messages", "llm.choices"] {
        completion.extend(flat::content(told, &[], prefix));
    }
    if name == "embeddings" {
        // The vectors themselves are no content that anybody reads.
        completion.clear();
    }
    (claim.input, claim.output) = (named("prompt", prompt), named("completion", completion));
}

/// The provider's id of the response. This dialect has no name for it, but keeps the response as it came.
fn response_id(told: Told<'_>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Response {
        id: String,
    }
    let named = told.text(&["llm.response_id", "gen_ai.response.id"]).map(str::to_owned);
    named.or_else(|| {
        let raw = told.text(OUTPUT).filter(|text| text.starts_with('{'))?;
        let id = serde_json::from_str::<Response>(raw).ok()?.id;
        ["chatcmpl-", "resp_", "msg_", "gen-"].iter().any(|prefix| id.starts_with(prefix)).then_some(id)
    })
}
