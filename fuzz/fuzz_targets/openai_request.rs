//! A model request and a reply; what goes upstream is still a request, streamed or not as before.
#![no_main]

use greffier_gateway::adapt::{Protocol, prepare, read_reply, read_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = read_reply(Protocol::OpenAiChat, data);
    if let Ok(request) = read_request(Protocol::OpenAiChat, data) {
        let prepared = prepare(Protocol::OpenAiChat, data.to_vec(), &request);
        let again = read_request(Protocol::OpenAiChat, &prepared).expect("still a request");
        assert_eq!((again.model, again.stream), (request.model, request.stream));
    }
});
