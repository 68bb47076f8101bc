use greffier_event::RedactionAction;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A picture of so many bytes, which is no text.
fn picture(bytes: usize) -> String {
    STANDARD.encode((0..bytes).map(|n| u8::try_from(n * 37 % 251).unwrap() | 0x80).collect::<Vec<u8>>())
}

fn check(document: &Value) -> (Value, Value, String) {
    let raw = document.to_string();
    let rules = Rules::new(RedactionAction::Redact);
    let inspected = inspect(&raw, &Scanner::new(), &rules, &Marks::default()).unwrap();
    let read = |text: &str| serde_json::from_str(text).unwrap();
    let kinds: Vec<String> = inspected.kinds.into_iter().collect();
    (read(&inspected.forward), read(&inspected.record), kinds.join(" "))
}

/// What the record says where the data stood.
fn recorded(document: Value, at: &str) -> String {
    let (forward, record, kinds) = check(&document);
    assert_eq!(forward, document, "what is no text travels on as it came");
    format!("{} | {kinds}", record.pointer(at).unwrap().as_str().unwrap())
}

#[test]
fn data_of_each_format_is_told_by_type_size_and_digest() {
    let png = picture(90);
    let url = format!("data:image/png;base64,{png}");
    let rows = [
        recorded(
            json!({"messages":[{"content":[{"type":"image_url","image_url":{"url":url}}]}]}),
            "/messages/0/content/0/image_url/url",
        ),
        recorded(
            json!({"messages":[{"content":[{"type":"input_audio","input_audio":{"data":png,"format":"wav"}}]}]}),
            "/messages/0/content/0/input_audio/data",
        ),
        recorded(
            json!({"messages":[{"content":[{"type":"file","file":{"file_data":png,"filename":"a.pdf"}}]}]}),
            "/messages/0/content/0/file/file_data",
        ),
        recorded(
            json!({"input":[{"content":[{"type":"input_image","image_url":url}]}]}),
            "/input/0/content/0/image_url",
        ),
        recorded(json!({"output":[{"type":"image_generation_call","result":png}]}), "/output/0/result"),
        recorded(
            json!({"output":[{"type":"reasoning","encrypted_content":png}]}),
            "/output/0/encrypted_content",
        ),
        recorded(
            json!({"content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":png}}]}),
            "/content/0/source/data",
        ),
        recorded(
            json!({"content":[{"type":"thinking","thinking":"","signature":png}]}),
            "/content/0/signature",
        ),
        recorded(
            json!({"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":png}}]}]}),
            "/contents/0/parts/0/inlineData/data",
        ),
        recorded(
            json!({"data":[{"object":"embedding","embedding":vec![0.411_111_111_111_111_1; 64]}]}),
            "/data/0/embedding",
        ),
    ];
    insta::assert_snapshot!(rows.join("\n"), @"
    <image/png 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:image media:image/png
    <audio/wav 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:audio media:audio/wav
    <application/octet-stream 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:application/octet-stream media:file
    <image/png 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:image media:image/png
    <image/* 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:image media:image/*
    <encrypted_content 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | 
    <image/jpeg 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:image media:image/jpeg
    <signature 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | 
    <application/pdf 90 bytes sha256:b3b0b533d7c3953a25ddb66e1ecc1d1a466ea6e8d64f47d1567a1bb4a97dd52f> | media:application/pdf media:file
    <64 numbers sha256:c0ce96820a4bb40f155528a411405fec7ec5f6854657e27fd921f884e80a179a> |
    ");
}

#[test]
fn what_is_only_named_is_told_to_policies() {
    let (_, _, kinds) = check(&json!({"input":[
        {"type":"input_image","image_url":"https://example.com/a.png"}, {"type":"input_file","file_id":"file-1"},
        {"fileData":{"mimeType":"video/mp4","fileUri":"https://example.com/a"}}]}));
    assert_eq!(kinds, "media:file media:image media:video media:video/mp4");
    assert_eq!(check(&json!({"input":[[1, 2]], "x":"\"data\""})).2, "media:tokens");
    assert_eq!(check(&json!({"input":["1"], "data":"x"})).2, "");
}

#[test]
fn a_file_that_is_text_is_inspected_as_text() {
    let note = "a note of some length about somebody whose ssn is 536-90-4399, which is the point";
    let hidden = note.replace("536-90-4399", "<US_SSN>");
    let document = |note: &str, head: &str| json!({"input":[{"type":"input_file","file_data":format!("{head}{}", STANDARD.encode(note))}]});
    for head in ["", "data:text/plain;base64,"] {
        let (forward, record, _) = check(&document(note, head));
        assert_eq!((forward, record), (document(&hidden, head), document(&hidden, head)));
    }
    // And what only says that it is data is inspected like any string.
    for short in [
        json!({"source":{"type":"text","media_type":"text/plain","data":"ssn 536-90-4399"}}),
        json!({"input_audio":{"data":"536-90-4399","format":"wav"}}),
        json!({"embedding":"536-90-4399","values":[1, 2]}),
        json!({"signature":"536-90-4399"}),
    ] {
        assert!(!check(&short).0.to_string().contains("536-90"), "{short}");
    }
}

proptest! {
    /// Wherever data stands, and whatever is hidden around it, it comes through whole and the rest reads as it would
    /// without it.
    #[test]
    fn data_is_put_back_where_it_stood(
        texts in proptest::collection::vec("(ssn 536-90-4399|plain|\\{|\"|é){1,3}", 1..5),
        sizes in proptest::collection::vec(0usize..200, 1..5),
    ) {
        let parts: Vec<Value> = texts.iter().zip(sizes.iter().cycle()).map(|(text, size)| json!({
            text: 1, "text": text, "inlineData": {"mimeType": "image/png", "data": picture(*size)}, "more": [text],
        })).collect();
        let document = json!({ "contents": [{ "parts": parts }] });
        let (forward, record, _) = check(&document);
        let mut without = document.clone();
        let each = |document: &Value| document["contents"][0]["parts"].as_array().unwrap().len();
        for index in 0..each(&document) {
            let data = |document: &Value| document["contents"][0]["parts"][index]["inlineData"]["data"].clone();
            prop_assert_eq!(data(&forward), data(&document));
            let told = data(&record).as_str().unwrap().starts_with("<image/png");
            prop_assert_eq!(told, data(&document).as_str().unwrap().len() >= MIN_BYTES * 4 / 3);
            without["contents"][0]["parts"][index]["inlineData"]["data"] = "".into();
        }
        let mut rest = forward;
        for index in 0..each(&document) {
            rest["contents"][0]["parts"][index]["inlineData"]["data"] = "".into();
        }
        prop_assert_eq!(rest, check(&without).0);
    }
}
