use super::version::announces as announces_version;
use super::*;
use crate::Entity;

fn key(key: &str) -> String {
    show(Hints::default().with_key(key.as_bytes()).said)
}

fn words(text: &str) -> String {
    show(before(text.as_bytes()))
}

fn show(said: Said) -> String {
    let mut shown = String::new();
    for label in said.labels() {
        let kind = label.kinds().first().map_or("-", |kind| kind.name());
        shown.push_str(&format!("{}{kind}", if shown.is_empty() { "" } else { "+" }));
    }
    shown
}

#[test]
fn keys_are_read_by_words() {
    for k in ["ssn", "SSN", "patient_ssn", "customerSsn", "ssnNumber", "social_security_number", "userSSN"] {
        assert_eq!(key(k), "US_SSN", "{k}");
    }
    for k in
        ["socialSecurityNumber", "socialsecurity", "socialsecuritynumber", "Social Security #", "SSNumber2"]
    {
        assert!(key(k) == "US_SSN" || k == "SSNumber2", "{k}");
    }
    for k in ["className", "classname", "sessn", "security", "ssn <US_SSN>", "", "password_hint"] {
        assert_eq!(key(k), "", "{k}");
    }
    assert_eq!(key("driver's_license_no"), "US_DRIVER_LICENSE");
    assert_eq!(key("cvv2"), "CVV");
    assert_eq!(key("social"), "US_SSN");
    assert_eq!(key("numéroDeSécuritéSociale"), "FR_NIR");
    assert_eq!(key("patientOrderId"), "-");
    assert_eq!(key("mrnId"), "MEDICAL_RECORD_NUMBER");
    assert_eq!(key("npi_id"), "US_NPI");
    assert_eq!(key("phone_id"), "-");
    assert_eq!(key("token_id"), "-");
}

#[test]
fn a_key_above_speaks_for_all_below_but_a_version_only_for_its_own() {
    let said = |path: &[&str]| {
        show(path.iter().fold(Hints::default(), |hints, key| hints.with_key(key.as_bytes())).said)
    };
    assert_eq!(said(&["ssn", "value"]), "US_SSN");
    assert_eq!(said(&["ssn", "v"]), "US_SSN");
    assert_eq!(said(&["ssn", "order_id"]), "-");
    assert_eq!(said(&["account", "number"]), "US_BANK_NUMBER");
    assert_eq!(said(&["password", "hint"]), "");
    assert_eq!(said(&["password", "value"]), "PASSWORD");
    assert!(!Hints::default().with_key(b"version").with_key(b"host").version);
}

#[test]
fn words_before_announce_what_follows() {
    for text in
        ["SSN: ", "my social security number is ", "ssn=", "SSN (last checked) ", "\"SSN\": \"", "ssn"]
    {
        assert_eq!(words(text), "US_SSN", "{text}");
    }
    for text in ["order ", "SSN verified, order id ", "order #"] {
        assert_eq!(words(text), "-", "{text}");
    }
    for text in [
        "<US_SSN> ",
        "ssn||||",
        "ssn one two three four five six ",
        "We took the passport. ",
        "ssn 1234 to ",
        "x9ssn ",
    ] {
        assert_eq!(words(text), "", "{text}");
    }
    assert_eq!(words("routing and account number: "), "US_BANK_NUMBER+ABA_ROUTING");
    assert_eq!(words("Acct. No. "), "US_BANK_NUMBER");
    assert_eq!(words("D.O.B. "), "DATE_OF_BIRTH");
    assert_eq!(words("NHS/"), "UK_NHS");
    assert_eq!(words("What is your SSN?\nuser: sure, it's "), "US_SSN");
    assert_eq!(
        words("confirm the date of birth on the account?\"},{\"role\":\"user\",\"content\":\""),
        "DATE_OF_BIRTH"
    );
    assert_eq!(words("Your passport number, please.\nCaller: "), "US_PASSPORT");
    assert_eq!(words("Send the SSN.\"},{\"role\":\"user\",\"content\":\""), "US_SSN");
    for text in [
        "Did you see the SSN? Ann and Bob went there at noon with ",
        "We lost the passports.\nThen came ",
        "We lost the passports.\n",
    ] {
        assert_eq!(words(text), "", "{text}");
    }
    assert_eq!(words("</CardVerificationValue><Street>"), "");
    assert_eq!(words("<CardVerificationValue>"), "CVV");
    assert_eq!(words("DoB: "), "DATE_OF_BIRTH");
    assert_eq!(words("IdNr. "), "DE_TAX_ID");
    assert_eq!(words("<SSN>"), "US_SSN");
    assert_eq!(words("<CVV2>"), "CVV");
    assert_eq!(words("FØDSELSDATO: "), "DATE_OF_BIRTH");
    assert_eq!(words("'d_o_b': '"), "DATE_OF_BIRTH");
    assert_eq!(words("<th>Age</th><td>"), "AGE");
    assert_eq!(words("\"label\":\"bank account\",\"type\":\"text\",\"value\":\""), "US_BANK_NUMBER");
    assert!(before(b"ssn ").announces(Entity::UsSsn).is_some());
    assert!(announces_version(b"version: ") && announces_version(b"release is "));
    assert!(announces_version(b"AssemblyVersion(\""));
    assert!(!announces_version(b"version of the host at ") && !announces_version(b"x9vW "));
}
