//! The sales team's week: searches, questions, a digest each morning; and what does not go as planned.

use serde_json::json;

use super::{End, Step, in_turn};
use crate::demo::people::{Caller, KIM, PETROV, PIPELINE_DIGEST, SILVA, through_agent};
use crate::demo::policies::{MANAGERS_EXPORT, NO_CARDS, NOBODY_ELSE_EXPORTS, SALES_MODELS, SALES_READ};
use crate::demo::upstream::{BROKEN, OVERLOADED};
use crate::demo::week::Weekday;

const READ: End = End::Done(SALES_READ);
const ASKED: End = End::Done(SALES_MODELS);

/// What happens every working day.
pub(super) fn routine() -> Vec<Step> {
    Weekday::WORKING
        .into_iter()
        .flat_map(|day| {
            let mut steps = pipeline(day);
            steps.extend(renewals(day));
            steps.push(digest(day));
            steps
        })
        .collect()
}

/// Mr Silva and the pipeline.
fn pipeline(day: Weekday) -> Vec<Step> {
    let who = through_agent(&SILVA);
    let steps = vec![
        Step::call(who, "crm/contacts/search", json!({"query": "pipeline status this quarter"}), READ),
        Step::read(who, "crm/deals?stage=negotiation", READ),
        Step::chat(who, "gpt-4o", "What changed in the pipeline this quarter?", ASKED),
    ];
    in_turn(day, 9, 15, "pipeline", steps)
}

/// Ms Kim and the renewals, with replies as they are written.
fn renewals(day: Weekday) -> Vec<Step> {
    let who = through_agent(&KIM);
    let steps = vec![
        Step::call(who, "crm/contacts/search", json!({"query": "renewals due"}), READ),
        Step::chat(who, "claude-haiku-4-5", "Which renewal needs a meeting first?", ASKED).streamed(),
    ];
    in_turn(day, 11, 0, "renewals", steps)
}

fn digest(day: Weekday) -> Step {
    let text = "One paragraph on the quarter for the Monday meeting.";
    Step::chat(Caller::Alone(&PIPELINE_DIGEST), "gpt-4o-mini", text, ASKED).at(day, 6, 0, 0).within("digest")
}

/// What breaks the routine.
pub(super) fn incidents() -> Vec<Step> {
    let (silva, kim, petrov) = (through_agent(&SILVA), through_agent(&KIM), through_agent(&PETROV));
    let card = "The customer wants to pay with 4111 1111 1111 1111, expiry 11/29. Draft the order.";
    let export = || json!({"format": "csv"});
    vec![
        Step::chat(kim, "gpt-4o", card, End::Denied(NO_CARDS)).within("orders").at(
            Weekday::Monday,
            14,
            30,
            0,
        ),
        Step::chat(silva, OVERLOADED, "Rank the deals by risk.", End::Failed(SALES_MODELS, 429))
            .within("pipeline")
            .at(Weekday::Wednesday, 10, 0, 0),
        Step::chat(silva, OVERLOADED, "Rank the deals by risk.", ASKED).within("pipeline").at(
            Weekday::Wednesday,
            10,
            0,
            21,
        ),
        Step::call(silva, "crm/contacts/export", export(), End::Denied(NOBODY_ELSE_EXPORTS))
            .within("pipeline")
            .at(Weekday::Thursday, 17, 50, 0),
        Step::call(petrov, "crm/contacts/export", export(), End::Done(MANAGERS_EXPORT))
            .within("territories")
            .at(Weekday::Friday, 9, 5, 0),
        Step::chat(kim, BROKEN, "Rewrite the proposal in plain words.", End::Failed(SALES_MODELS, 500))
            .within("renewals")
            .at(Weekday::Friday, 11, 20, 0),
    ]
}
