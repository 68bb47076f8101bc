//! A body of OTLP, in protobuf and in JSON: what is read of it is within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/api/src/otlp/json.rs"]
mod json;
#[path = "../../crates/api/src/otlp/model.rs"]
mod model;
#[path = "../../crates/api/src/otlp/protobuf.rs"]
mod protobuf;
#[path = "../../crates/api/src/otlp/wire.rs"]
#[expect(dead_code, reason = "nothing is answered here")]
mod wire;

/// What the readers expect of the module that they stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Malformed(&'static str);

const TOO_MANY_ITEMS: Malformed = Malformed("items");
const TOO_MANY_GROUPS: Malformed = Malformed("groups");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Traces,
    Logs,
}

fuzz_target!(|body: &[u8]| {
    for signal in [Signal::Traces, Signal::Logs] {
        for found in [protobuf::read(signal, body), json::read(signal, body)].into_iter().flatten() {
            assert!(found.len() <= model::MAX_ITEMS);
            for item in found {
                let attributes = match item.item {
                    Ok(model::Item::Span(span)) => span.attributes,
                    Ok(model::Item::Log(log)) => log.attributes,
                    Err(_) => continue,
                };
                assert!(attributes.len() <= model::MAX_VALUES);
                assert!(item.origin.resource.len() <= model::MAX_VALUES);
            }
        }
    }
    let _ = (protobuf::count_points(body), json::count_points(body));
});
