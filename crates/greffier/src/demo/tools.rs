//! The demo's tools: `ehr`, a hospital's records, and `crm`, a sales team's contacts and deals. Both let in only
//! who has the gateway's own credential: a caller's token would not get far.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::loopback::{self, Answer, Host, Request};

/// What the gateway presents: the whole value of the header.
pub(super) const CREDENTIAL: &str = "Bearer demo-tool-credential";

/// Both tools, at `/ehr` and `/crm`.
pub(super) struct Tools;

/// Patients, and what a summary of theirs would hold. No real person, no number that is anybody's.
const PATIENTS: [(&str, &str, &str); 4] = [
    ("P-1047", "Elena Marsh", "536-90-4399"),
    ("P-1102", "Tomas Weil", "219-44-8035"),
    ("P-1188", "Ines Calder", "457-31-6098"),
    ("P-1213", "Hugo Brandt", "318-62-7715"),
];

impl Host for Tools {
    fn answer(&self, request: &Request) -> Answer {
        let credential = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if credential != Some(CREDENTIAL) {
            return told(StatusCode::UNAUTHORIZED, "that is not the gateway's credential");
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let path = request.uri().path();
        match (path.strip_prefix("/ehr"), path.strip_prefix("/crm")) {
            (Some(path), _) => ehr(request.method(), path, patient(request, &body)),
            (_, Some(path)) => crm(path, &body),
            _ => told(StatusCode::NOT_FOUND, "no such path"),
        }
    }
}

/// The patient that a request names, in its query or its body.
fn patient<'a>(request: &'a Request, body: &'a Value) -> Option<&'a str> {
    let in_query = || request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("patient_id="));
    body.get("patient_id").and_then(Value::as_str).or_else(in_query)
}

fn ehr(method: &Method, path: &str, patient: Option<&str>) -> Answer {
    let found = PATIENTS.iter().find(|(id, _, _)| Some(*id) == patient);
    let Some((id, name, ssn)) = found else {
        return told(StatusCode::NOT_FOUND, "no such patient");
    };
    let document = match (method.as_str(), path) {
        ("GET", "/patients") => json!({"id": id, "name": name, "ssn": ssn, "ward": "3B", "born": 1958}),
        ("GET", "/notes") => json!({"patient": id, "notes": [
            {"by": "okafor", "text": "Crackles right base. Started amoxicillin."},
            {"by": "lindqvist", "text": "Afebrile since the morning, walking to the bathroom."},
        ]}),
        ("POST", "/notes") => {
            return loopback::json(StatusCode::CREATED, &json!({"patient": id, "saved": true}));
        }
        ("GET", "/labs") => json!({"patient": id, "crp": [182, 96, 24], "leukocytes": [14.2, 10.9, 8.1]}),
        ("GET", "/medications") => {
            json!({"patient": id, "medications": ["amoxicillin 1 g, three times daily"]})
        }
        ("GET", "/allergies") => json!({"patient": id, "allergies": ["sulfonamides"]}),
        ("GET", "/invoices") => json!({"patient": id, "lines": 7, "total": "1840.50", "currency": "EUR"}),
        ("GET", "/imaging") => {
            return told(StatusCode::SERVICE_UNAVAILABLE, "the picture archive is being moved");
        }
        _ => return told(StatusCode::NOT_FOUND, "no such path"),
    };
    loopback::json(StatusCode::OK, &document)
}

fn crm(path: &str, body: &Value) -> Answer {
    let document = match path {
        "/contacts/search" => json!({"query": body.get("query"), "contacts": [
            {"name": "Mara Hollis", "company": "Alder & Finch", "email": "mara.hollis@alder.example"},
            {"name": "Owen Pryce", "company": "Tidewater Freight", "email": "owen.pryce@tidewater.example"},
        ]}),
        "/contacts/export" => json!({"format": "csv", "rows": 4127}),
        "/deals" => {
            json!({"deals": [{"account": "Tidewater Freight", "stage": "negotiation", "value": 48000}]})
        }
        _ => return told(StatusCode::NOT_FOUND, "no such path"),
    };
    loopback::json(StatusCode::OK, &document)
}

fn told(status: StatusCode, message: &str) -> Answer {
    loopback::json(status, &json!({"error": message}))
}
