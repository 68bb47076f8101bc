//! One request of one user, twelve calls: Dr Okafor asks for a discharge letter, and the assistant goes to the
//! record, the models and the picture archive for it. What joins the twelve is their session and their trace.

use serde_json::json;

use super::{End, Step};
use crate::demo::people::{OKAFOR, through_agent};
use crate::demo::policies::{HOSPITAL_MODELS, PHYSICIANS_READ, PHYSICIANS_WRITE};
use crate::demo::week::Weekday;

/// The session of the twelve calls.
pub(in crate::demo) const SESSION: &str = "discharge-letter";
/// Their trace.
pub(in crate::demo) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// How many they are.
pub(in crate::demo) const CALLS: usize = 12;
/// When: long enough ago on every day that the demo runs.
const DAY: Weekday = Weekday::Thursday;

/// The twelve calls, some seconds apart.
pub(super) fn steps() -> Vec<Step> {
    let who = through_agent(&OKAFOR);
    let (read, asked) = (End::Done(PHYSICIANS_READ), End::Done(HOSPITAL_MODELS));
    let open = |what: &str| Step::read(who, &format!("ehr/{what}?patient_id=P-1047"), read);
    let letter = json!({"patient_id": "P-1047", "text": "Discharge letter, first version."});
    let steps = vec![
        Step::chat(who, "claude-sonnet-4-5", "Plan a discharge letter.", asked),
        open("patients"),
        open("notes"),
        open("labs"),
        open("medications"),
        Step::chat(
            who,
            "claude-sonnet-4-5",
            "Please summarise: Elena Marsh, SSN 536-90-4399, pneumonia, CRP 182 to 24.",
            End::Redacted(HOSPITAL_MODELS),
        ),
        Step::read(who, "ehr/imaging?patient_id=P-1047", End::Failed(PHYSICIANS_READ, 503)),
        open("allergies"),
        Step::chat(who, "claude-sonnet-4-5", "Now draft the letter.", asked).streamed(),
        Step::chat(who, "gpt-4o-mini", "Please check the letter for gaps.", asked),
        Step::call(who, "ehr/notes", letter, End::Done(PHYSICIANS_WRITE)),
        Step::chat(who, "claude-haiku-4-5", "Tell the physician in one sentence that it is done.", asked),
    ];
    let paced = steps.into_iter().zip((0..).step_by(7));
    paced
        .map(|(step, seconds)| Step { trace: Some(TRACE), ..step.within(SESSION).at(DAY, 10, 14, seconds) })
        .collect()
}
