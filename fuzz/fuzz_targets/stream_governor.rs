//! A provider's stream, in any pieces.
#![no_main]

use std::sync::{Arc, LazyLock};

use greffier_event::RedactionAction;
use greffier_gateway::adapt::Protocol;
use greffier_gateway::stream::StreamGovernor;
use greffier_safety::{Entity, Rules, Scanner};
use libfuzzer_sys::fuzz_target;

static SCANNER: LazyLock<Arc<Scanner>> = LazyLock::new(|| Arc::new(Scanner::new()));

fuzz_target!(|input: (usize, bool, Vec<Vec<u8>>)| {
    let (which, strip, pieces) = input;
    let protocol = Protocol::ALL[which % Protocol::ALL.len()];
    let rules = Rules::always_redact().with(Entity::CreditCard, RedactionAction::Block);
    let mut governor = StreamGovernor::new(protocol, SCANNER.clone(), rules, strip);
    for piece in &pieces {
        if governor.push(piece).is_err() {
            break;
        }
    }
    let _ = governor.end();
});
