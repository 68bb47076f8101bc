//! Texts for the property tests: real entities, beginnings of them, and what stands around.

use proptest::prelude::*;

/// One of each kind, and a few that spread over several words.
pub(crate) const ENTITIES: [&str; 73] = [
    "4111 1111 1111 1111",
    "5555555555554444",
    "3782-822463-10005",
    "DE89370400440532013000",
    "GB82 WEST 1234 5698 7654 32",
    "bob@example.com",
    "rené.o@müller.de",
    "203.0.113.7",
    "2001:db8::8a2e:370:7334",
    "123-45-6789",
    "123 45 6789",
    "123\u{2011}45\u{2011}6789",
    "SSN 123456789",
    "ssn536904399",
    "MRN 00482913",
    "NPI: 1234567893",
    "1EG4-TE5-MK73",
    "DOB January 2, 1980",
    "date of birth: 02.01.1980",
    "discharged 2024-03-09",
    "routing number 021000021",
    "routing and account numbers 021000021 and 9988776655",
    "passport C01234567",
    "driver's license D1234567",
    "DEA AB1234563",
    "VIN 1M8GDM9AXKP042788",
    "plate HH-MY 369",
    "SWIFT: DEUTDEFF",
    "NI number AB 12 34 56 C",
    "RSSMRA85T10A562S",
    "CPF 529.982.247-25",
    "00:1a:2b:3c:4d:5e",
    "536904399 (SSN)",
    "a 92-year-old",
    "password: Tr0ub4dor3x",
    "api_key=9f8Kd72hLq0ZxV3bNm5PtR7y",
    "curl -u admin:s3cr3tPw",
    "client secret 'l5bAAKmDLfscsuYDG2xj6UEdvQHqKUikLd'",
    "５３６－９０－４３９９",
    "536-90-43\u{200b}99",
    "536&#45;90&#x2d;4399",
    "bob%40example.com",
    "b\u{43e}b@example.com",
    "c3NuOiA1MzYtOTAtNDM5OQ==",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "0xde709f2102306220921060314715629080e2fb77",
    "+1 (212) 555-0123",
    "(+44) 20 7946 0958",
    "01 23 45 67 89",
    "AKIAIOSFODNN7ABCDEFG",
    "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",
    "xoxb-123456789012-AbCdEfGhIjKl",
    "sk-proj-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z_-aB",
    "sk-ant-api03-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z-AA",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..48V1_ALb6US04U3b.5eym8TW_c8Su.XFBoMYUZ",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nx+/=\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA",
    "postgres://app:s3cr3t@db.example.com:5432/x",
    "redis://:hunter2@203.0.113.9:6379",
    "Dear Anna Lee,",
    "Ximena Ibáñez",
    "Mr. van Dijk",
    "Regards,\nQuillon Vantree\n",
    "\"customer_name\":\"Lee, Anna\"",
    "J. R. O'Neil <jr@example.com>",
    "12 N Maple St Apt 4B, Salt Lake City, UT 84101-1234, USA",
    "Lindenstraße 12a, 10115 Berlin",
    "\"address\":\"Ekeby 3, Store Backe\"",
    "221A High Street, Bristol BS8 4QD",
    "12 bis rue de la Paix, 75002 Paris",
    "PO Box 12, Boise, ID 83701",
];

/// Text in which anything may stand beside anything.
pub(crate) fn text() -> impl Strategy<Value = String> + Clone {
    let entity = proptest::sample::select(&ENTITIES[..]);
    let piece = prop_oneof![
        4 => entity.clone().prop_map(str::to_owned),
        2 => (entity, 0..60usize).prop_map(|(entity, cut)| entity.chars().take(cut).collect()),
        3 => proptest::sample::select(&[" ", "\n", ", ", "-", ".", "@", ":", "/", "\\n", "%20", "_", "\"", "", "-----END "][..])
            .prop_map(str::to_owned),
        1 => "[a-z]{1,80}",
        1 => "[0-9 .-]{1,30}",
        1 => "\\PC{0,8}",
        1 => proptest::sample::select(&["ssn ", "version ", "order id ", "name,ssn,dob\n", "| a | ssn |\n", "password is ", "&#5", "%4", "卡号", "é", "😀", "https://u:p@", "git@"][..]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Text in which plain words stand between entities.
pub(crate) fn prose() -> impl Strategy<Value = String> + Clone {
    let entity = proptest::sample::select(&ENTITIES[..58]).prop_map(str::to_owned);
    let word = proptest::sample::select(&["and", "über", "the \"name\"", "a\\b", "漢字", "x\ty"][..])
        .prop_map(str::to_owned);
    proptest::collection::vec((word.clone(), entity, word), 0..4).prop_map(|pieces| {
        pieces.into_iter().map(|(a, b, c)| format!("{a} {b} {c}")).collect::<Vec<_>>().join(", ")
    })
}

/// A document over such texts.
pub(crate) fn json(
    text: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let key = prop_oneof![
        3 => proptest::sample::select(&["ssn", "version", "name", "patient_ssn", "a/b~c", ""][..]).prop_map(str::to_owned),
        1 => text.clone(),
    ];
    let number = proptest::sample::select(vec![
        json!(123456789),
        json!(4111111111111111u64),
        json!(-4111111111111111i64),
        json!(4111111111111111.0),
        json!(0),
        json!(12.5),
        json!(1e300),
        json!(6212345678901232000u64),
        json!(19.0),
    ]);
    let leaf = prop_oneof![
        4 => text.prop_map(Value::String),
        2 => number,
        1 => proptest::sample::select(vec![json!(null), json!(true)]),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A document as text, of whose characters in strings about one in `rarity` is written as an escape.
pub(crate) fn render(value: &serde_json::Value, rarity: usize) -> String {
    let plain = serde_json::to_string_pretty(value).unwrap();
    let mut out = String::new();
    let (mut inside, mut escaped) = (false, false);
    for (i, c) in plain.char_indices() {
        let literal = inside && !escaped && c != '"' && c != '\\';
        if literal && i.wrapping_mul(2_654_435_761) % rarity.max(1) == 0 {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
        inside ^= c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
    }
    out
}
