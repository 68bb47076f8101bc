use super::*;

const EHR: &str = r##"
openapi: 3.1.0
info: { title: Records, version: "1" }
servers:
  - url: https://{region}.ehr.example/v1
    variables: { region: { default: eu } }
paths:
  /patients:
    get: { operationId: listPatients, parameters: [ { $ref: "#/components/parameters/Limit" } ], responses: { 200: { description: ok } } }
  /patients/search:
    post: { operationId: searchPatients, responses: { 200: { description: ok } } }
  /patients/{patientId}:
    parameters: [ { name: patientId, in: path, required: true } ]
    get: { operationId: readPatient }
    delete: {}
  /patients/{patientId}/notes/{note}:
    get: { parameters: [ { name: format, in: query } ] }
  /patients/{patientId}/files/{name}.pdf:
    get: {}
  /{kind}/search/recent:
    get: {}
components:
  parameters:
    Limit: { name: limit, in: query }
"##;

pub(crate) fn tool(api: Api) -> ToolServer {
    ToolServer {
        name: "ehr".to_owned(),
        base_url: "http://127.0.0.1:9000".parse().unwrap(),
        resource: Some("ehr://{path}".to_owned()),
        subject: None,
        classification: vec!["internal".to_owned()],
        credential: None,
        timeout: std::time::Duration::from_secs(1),
        idle_timeout: std::time::Duration::from_secs(1),
        kind: greffier_event::ActionKind::Tool,
        reach: crate::reach::Reach::default(),
        api: std::sync::Arc::new(api),
    }
}

fn document() -> Document {
    Document::parse(EHR.as_bytes()).unwrap()
}

#[test]
fn paths_find_their_operation() {
    let document = document();
    let check = |request: &str| {
        let (method, path) = request.split_once(' ').unwrap();
        match document.find(&method.parse().unwrap(), path) {
            Some(operation) => operation.name("ehr"),
            None => "-".to_owned(),
        }
    };
    insta::assert_snapshot!(check("GET /patients"), @"ehr:patients");
    insta::assert_snapshot!(check("HEAD /patients"), @"ehr:patients");
    insta::assert_snapshot!(check("GET /patients/7"), @"ehr:patients:{patientId}");
    insta::assert_snapshot!(check("DELETE /patients/7"), @"ehr:patients:{patientId}");
    insta::assert_snapshot!(check("POST /patients/search"), @"ehr:patients:search");
    // Text goes before a name, by method too.
    insta::assert_snapshot!(check("GET /patients/search"), @"ehr:patients:{patientId}");
    insta::assert_snapshot!(check("GET /%70atients/7"), @"ehr:patients:{patientId}");
    insta::assert_snapshot!(check("GET /patients/search/recent"), @"ehr:{kind}:search:recent");
    insta::assert_snapshot!(check("GET /patients/search/notes/3"), @"ehr:patients:{patientId}:notes:{note}");
    insta::assert_snapshot!(check("GET /patients/7/files/a.b.pdf"), @"ehr:patients:{patientId}:files:{name}.pdf");
    for missing in [
        "POST /patients",
        "GET /patients/",
        "GET //patients/7",
        "GET /Patients/7",
        "GET /patients/7%2fnotes",
        "GET /patients/7/files/.pdf",
        "GET /patients/7/files/a.txt",
        "GET /patients/7/notes",
        "GET /",
        "GET ",
    ] {
        assert_eq!(check(missing), "-", "{missing}");
    }
}

#[test]
fn parameters_have_the_documents_names() {
    let api = Api::new(Some(document()), false, Vec::new());
    let check = |path: &str, query| Value::Object(api.parameters(&Method::GET, path, query)).to_string();
    insta::assert_snapshot!(check("/patients/7/notes/a%20b", Some("format=x%2By&patientId=8")), @r#"{"format":"x+y","patientId":"7","note":"a b"}"#);
    insta::assert_snapshot!(check("/patients", Some("limit=1&limit=2&other=3")), @r#"{"limit":["1","2"]}"#);
    insta::assert_snapshot!(check("/nothing", Some("limit=1")), @"{}");
}

#[test]
fn the_most_specific_rule_decides() {
    let rule = |path: &str| Rule { path: Some(Pattern::parse(path).unwrap()), ..Rule::default() };
    let rules = vec![
        Rule {
            classification: Some(vec!["phi".to_owned()]),
            subject: Some("{id}".to_owned()),
            ..rule("/patients/{id}/**")
        },
        Rule {
            effect: Some(Effect::Read),
            kind: Some(ActionKind::Data),
            method: Some(Method::POST),
            ..rule("/patients/search")
        },
        Rule { resource: Some("note://{patientId}/{note}".to_owned()), ..rule("/patients/*/notes/*") },
        Rule {
            operation: Some("readPatient".to_owned()),
            subject: Some("{patientId}".to_owned()),
            ..Rule::default()
        },
        Rule { subject: Some("/wrong".to_owned()), ..rule("/**") },
    ];
    let tool = tool(Api::new(Some(document()), false, rules));
    let check = |request: &str| {
        let (method, path) = request.split_once(' ').unwrap();
        let said = describe(Some(&tool), "ehr", &method.parse().unwrap(), path, None);
        let about = said.subject.or(said.pointer).unwrap_or_default();
        format!("{} {:?} {} {} {about}", said.name, said.effect, said.resource, said.classification.join(","))
    };
    let kind = |path: &str| describe(Some(&tool), "ehr", &Method::POST, path, None).kind;
    assert_eq!((kind("/patients/search"), kind("/patients")), (ActionKind::Data, ActionKind::Tool));
    insta::assert_snapshot!(check("POST /patients/search"), @"ehr:patients:search Read ehr://patients/search phi search");
    insta::assert_snapshot!(check("DELETE /patients/7"), @"ehr:patients:{patientId} Delete ehr://patients/7 phi 7");
    insta::assert_snapshot!(check("GET /patients/7"), @"ehr:patients:{patientId} Read ehr://patients/7 phi 7");
    insta::assert_snapshot!(check("GET /patients/7/notes/a%20b"), @"ehr:patients:{patientId}:notes:{note} Read note://7/a%20b phi 7");
    insta::assert_snapshot!(check("GET /patients"), @"ehr:patients Read ehr://patients internal /wrong");
}

#[test]
fn names_fold_ids_without_a_document() {
    let check = |path: &str| folded("crm", path);
    insta::assert_snapshot!(check("/contacts/search"), @"crm:contacts:search");
    insta::assert_snapshot!(check("/contacts/42/notes"), @"crm:contacts:{id}:notes");
    insta::assert_snapshot!(check("/v2/people/536-90-4399/"), @"crm:v2:people:{id}");
    insta::assert_snapshot!(check("/people/jane%40corp.com"), @"crm:people:{id}");
    insta::assert_snapshot!(check("/"), @"crm");
}

#[test]
fn bad_documents_say_where() {
    let check = |text: &str| Document::parse(text.as_bytes()).unwrap_err().to_string();
    insta::assert_snapshot!(check(r#"{"swagger":"2.0"}"#), @"/openapi: expected a version: is it an OpenAPI document?");
    insta::assert_snapshot!(check(r#"{"openapi":"3.2.0"}"#), @"/openapi: version `3.2.0`: expected 3.0 or 3.1");
    insta::assert_snapshot!(check(r#"{"openapi":"3.0.3","paths":{"a":{}}}"#), @"/paths/a: a path starts with `/`");
    insta::assert_snapshot!(check(r#"{"openapi":"3.0.3","paths":{"/a/{b":{}}}"#), @"/paths/~1a~1{b: `{b`: expected names in braces, as in `{id}`, with text between two of them");
    insta::assert_snapshot!(check(r#"{"openapi":"3.0.3","paths":{"/a":{"$ref":"other.json"}}}"#), @"/paths/~1a: `other.json` leads nowhere within this document");
    insta::assert_snapshot!(check("openapi: 3.0.3\npaths:\n  /a: {}\n  /a: {}"), @"line 4, column 3: the key `/a` stands twice");
    insta::assert_snapshot!(check("openapi: &v 3.0.3\ninfo: *v"), @"line 2, column 7: aliases are not followed: write it out");
    insta::assert_snapshot!(check("{\"openapi\":\n,}"), @"line 2, column 1: expected value at line 2 column 1");
}

#[test]
fn a_document_says_where_it_is_served() {
    assert_eq!(document().server.as_deref(), Some("https://eu.ehr.example/v1"));
}

#[test]
fn templates_that_multiply_are_refused() {
    // Every segment a text or a name: each path of twenty bits is a node of its own.
    let paths: Vec<String> = (0..20)
        .map(|bit| {
            let segments: Vec<String> =
                (0..20).map(|at| if at == bit { "x".to_owned() } else { format!("{{p{at}}}") }).collect();
            format!(r#""/{}":{{"get":{{}}}}"#, segments.join("/"))
        })
        .collect();
    let text = format!(r#"{{"openapi":"3.0.0","paths":{{{}}}}}"#, paths.join(","));
    let error = Document::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "/paths: its paths overlap too much to be told apart");
}

proptest::proptest! {
    /// The trie finds what a look at every template finds.
    #[test]
    fn the_trie_agrees_with_a_search(
        templates in proptest::collection::btree_set("(/(a|b|\\{x\\}|\\{y\\})){1,3}", 1..8),
        path in "(/(a|b|c)){1,3}",
    ) {
        let patterns: Vec<Pattern> =
            templates.iter().filter_map(|text| Pattern::template(text).ok()).collect();
        let all: Vec<&Pattern> = patterns.iter().collect();
        let segments = path::decoded(&path);
        let mut found = trie::Trie::build(&all).unwrap().find(&segments).to_vec();
        found.sort_unstable();
        let expected: Vec<usize> =
            (0..all.len()).filter(|&at| all[at].capture(&segments).is_some()).collect();
        proptest::prop_assert_eq!(found, expected);
    }

    /// No text makes the parser panic.
    #[test]
    fn anything_may_be_a_document(text in "\\PC*") {
        drop(Document::parse(text.as_bytes()));
        drop(Pattern::parse(&text));
    }
}
