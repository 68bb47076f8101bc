//! The hospital's week: rounds, invoices, summaries at night; and what does not go as planned.

use serde_json::json;

use super::{End, Step, in_turn};
use crate::demo::people::{Caller, LINDQVIST, MOREAU, NIGHT_SUMMARISER, OKAFOR, through_agent};
use crate::demo::policies::{
    BILLING_INVOICES, BILLING_NOT, HOSPITAL_MODELS, PHYSICIANS_READ, PHYSICIANS_WRITE, SMALL_MODELS,
};
use crate::demo::week::Weekday;

const READ: End = End::Done(PHYSICIANS_READ);
const ASKED: End = End::Done(HOSPITAL_MODELS);
/// Summaries that the night agent asks for at once: one per ward.
const WARDS: usize = 6;
/// Those that it asks for in the night in which it repeats itself.
const REPEATED: usize = 12;

/// What happens every day.
pub(super) fn routine() -> Vec<Step> {
    let rounds = Weekday::WORKING.into_iter().flat_map(|day| {
        let mut steps = morning_round(day);
        steps.extend(afternoon_round(day));
        steps.extend(invoices(day));
        steps
    });
    rounds.chain(Weekday::ALL.into_iter().flat_map(night)).collect()
}

/// Dr Okafor sees two patients.
fn morning_round(day: Weekday) -> Vec<Step> {
    let who = through_agent(&OKAFOR);
    let steps = vec![
        Step::read(who, "ehr/patients?patient_id=P-1047", READ),
        Step::read(who, "ehr/labs?patient_id=P-1047", READ),
        Step::read(who, "ehr/notes?patient_id=P-1102", READ),
        Step::chat(
            who,
            "claude-sonnet-4-5",
            "Please summarise the night on ward 3B for the handover.",
            ASKED,
        ),
    ];
    in_turn(day, 7, 40, "rounds-okafor", steps)
}

/// Dr Lindqvist sees one, and writes it down.
fn afternoon_round(day: Weekday) -> Vec<Step> {
    let who = through_agent(&LINDQVIST);
    let note = json!({"patient_id": "P-1188", "text": "Walking without help, home on Friday."});
    let steps = vec![
        Step::read(who, "ehr/patients?patient_id=P-1188", READ),
        Step::read(who, "ehr/medications?patient_id=P-1188", READ),
        Step::call(who, "ehr/notes", note, End::Done(PHYSICIANS_WRITE)),
    ];
    in_turn(day, 13, 5, "rounds-lindqvist", steps)
}

/// Ms Moreau's invoices.
fn invoices(day: Weekday) -> Vec<Step> {
    let who = through_agent(&MOREAU);
    let steps = vec![
        Step::read(who, "ehr/invoices?patient_id=P-1102", End::Done(BILLING_INVOICES)),
        Step::chat(who, "gpt-4o-mini", "Compare the remittance with the invoice and list the gaps.", ASKED),
    ];
    in_turn(day, 15, 20, "invoices", steps)
}

/// An agent on its own: everything at once, at the same moment.
fn night(day: Weekday) -> Vec<Step> {
    at_once(day, 0, WARDS)
}

fn at_once(day: Weekday, minute: i64, times: usize) -> Vec<Step> {
    let who = Caller::Alone(&NIGHT_SUMMARISER);
    let ask = |number| {
        let text = format!("Please summarise the events of the night on ward {}.", number % WARDS + 1);
        Step::chat(who, "gpt-4o-mini", &text, ASKED).at(day, 2, minute, 0).within("night-run")
    };
    (0..times).map(ask).collect()
}

/// What breaks the routine.
pub(super) fn incidents() -> Vec<Step> {
    let mut steps = the_clerk_tries(Weekday::Tuesday, 1);
    steps.extend(the_clerk_tries(Weekday::Friday, 6));
    steps.extend(at_once(Weekday::Sunday, 30, REPEATED));
    let lindqvist = through_agent(&LINDQVIST);
    let text = "Write to the insurer about the patient with SSN 536-90-4399, and ask them to call back.";
    steps.push(
        Step::chat(lindqvist, "claude-sonnet-4-5", text, End::Redacted(HOSPITAL_MODELS))
            .within("insurer-letter")
            .at(Weekday::Wednesday, 16, 10, 0),
    );
    steps.push(
        Step::chat(
            Caller::Alone(&NIGHT_SUMMARISER),
            "claude-sonnet-4-5",
            "Please summarise the whole house.",
            End::Denied(SMALL_MODELS),
        )
        .within("night-run")
        .at(Weekday::Wednesday, 2, 0, 30),
    );
    steps
}

/// Ms Moreau asks for what Dr Okafor asked for on the same day, and is refused: once, or until it is a pattern.
fn the_clerk_tries(day: Weekday, times: usize) -> Vec<Step> {
    let who = through_agent(&MOREAU);
    let ask = || Step::read(who, "ehr/labs?patient_id=P-1047", End::Denied(BILLING_NOT));
    in_turn(day, 15, 45, "invoices", std::iter::repeat_with(ask).take(times).collect())
}
