//! Names as they stand in the traffic of agents: `⟦` and `⟧` show what is to be found, each line a text.

use crate::hints::Hints;
use crate::{Entity, Scanner};

/// Scans the text without its marks and compares what is found with what they show.
fn check(marked: &str) {
    let scanner = Scanner::new();
    let mut wrong = String::new();
    for line in marked.trim().lines().map(|line| line.trim().replace("⏎", "\n")) {
        let text = line.replace(['⟦', '⟧'], "");
        let mut found = String::new();
        let mut copied = 0;
        for span in scanner.scan(&text).iter().filter(|span| span.entity == Entity::Person) {
            found += &format!("{}⟦{}⟧", &text[copied..span.start], &text[span.start..span.end]);
            copied = span.end;
        }
        found += &text[copied..];
        if found != line {
            wrong += &format!("want {line}\ngot  {found}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn names_under_keys_and_labels() {
    check(
        r#"
        {"customer_name":"⟦Quillon Vantree⟧","product_name":"Quillon Vantree","id":7}
        {"first_name":"⟦Bridge⟧","last_name":"⟦de la Stokes⟧","middle_name":null}
        {"name":"⟦Amara Okafor⟧"} {"name":"Quarterly Report"} {"name":"get_weather"}
        {\"patient\":\"⟦Odd Bjørnstad⟧\",\"ward\":\"North Wing\"}
        Patient: ⟦Vigdis Tarn⟧   DOB: 1970-01-01
        **Full name:** ⟦J. R. Whitlow⟧
        <customerName>⟦Ottoline Grebe⟧</customerName> <TITLE>Ottoline Grebe</TITLE>
        | Contact name | ⟦Ottoline Grebe⟧ | open |
        assignee=⟦"Ottoline Grebe"⟧
        Attending: Dr. ⟦Ottoline Grebe⟧, NPI
        Account holder: ⟦LIAM WALSH⟧
        patient_name: ⟦Whitlow, Anna⟧
        approved by: ⟦Ottoline Grebe⟧
        Customer: Blue Harbor Logistics, owner: Platform Team
        "#
        .replace("⟦\"", "\"⟦")
        .replace("\"⟧", "⟧\"")
        .as_str(),
    );
}

#[test]
fn names_behind_cues() {
    check(
        "
        Dear ⟦Quillon⟧, thank you. Dear Customer, thank you. Dear Ms. ⟦Stokes⟧,
        Hi ⟦Anna⟧ can you come? Hi Team, Hello World! Hi from New York!
        My name is ⟦Quillon Vantree⟧ and I'm ⟦Anna⟧. I'm Canadian. I am Ready.
        We met with ⟦Jordan Banks⟧ and Mr. ⟦O'Neil⟧; then with Morgan Stanley.
        Called by ⟦Anna⟧, assigned to ⟦Priya Xyzzy⟧, assigned to Platform Team.
        prescribed to patient ⟦Quillon Vantree⟧ by Prof. ⟦Jean-Luc d'Estrées⟧.
        Claim 8: ⟦Olivia Castillo⟧, DOB May. 16, 2000; ⟦Olivia Castillo⟧, PCP Oliver.
        Mein Name ist ⟦Quillon Vantree⟧. Me llamo ⟦Quillon Vantree⟧ y quiero. Je m'appelle ⟦Quillon Vantree⟧. Il mio nome è ⟦Anna⟧.
        Best,⏎⟦Quillon⟧ 🙏⏎{\"text\":\"Best,\\n⟦Quillon⟧\"}
        Claimant: ⟦Whitfield, Quillonia⟧, Customer: Whitfield, Houseware
        Patient ⟦Whitfield, Quillonia⟧ seen. Patient ⟦Thompson, Liam⟧ seen in clinic. Patient Intake, Monday. Patient ⟦Tarn, Olivia⟧
        Tell ⟦Ingrid⟧ that it is ready, and ask ⟦Olivia⟧. Tell Sales that.
        {\"role\":\"user\",\"content\":\"Patient ⟦Quillon Vantree⟧, born\"} {\"content\":\"Dear ⟦Quillon⟧, hi\"}
        customer: ⟦Tunde Van den Berg⟧ {\"customer_name\":\"⟦Tunde Van den Berg⟧\"} <name>⟦Mei-Ling Whitfield⟧</name>
        the wife of Mr. ⟦van Stauffen⟧ and Mrs. ⟦St. Clair⟧
        Best regards,⏎⟦Quillon Vantree⟧⏎Claims Team
        Thanks,\\n⟦Quillon⟧\"
        Kind regards,⏎Customer Success Team
        From: \"⟦Quillon Vantree⟧\" <q@example.com>, ⟦Ana María Vantree⟧ <a@example.com>
        ",
    );
}

#[test]
fn names_that_lists_know() {
    check(
        "
        Compare ⟦Ximena Ibáñez⟧ with ⟦Liam van den Berg⟧, ⟦Zhang Wei⟧ and ⟦Olivia M. Castillo⟧'s team.
        ⟦Étienne Lefèvre⟧ wrote to ⟦María José Hernández Peña⟧ on Monday. ⟦Øyvind Nygård⟧ answered.
        ⟦Min-jun Park⟧ is here, ⟦Bjørn Dahl⟧ too; ⟦J. Whitfield⟧ left.
        ⟦Xquim Kowalczyk⟧ signed, and ⟦Quillon L. Vantree⟧, ⟦Ottoline Grebe⟧.
        ⟦Mei-Ling Whitfield⟧ met ⟦Anna Van den Berg⟧ and ⟦Liam De Groot⟧.
        Prescriber ⟦Quillon Vantree⟧; patient_name=⟦Quillon Vantree⟧ status=200; patient name '⟦Quillon Vantree⟧'
        ",
    );
}

#[test]
fn no_names() {
    check(
        "
        New York, Main Street Bank, Visual Studio, Rose Gold, Grace Period, Mark Down, Jasmine Rice
        Morgan Stanley and Ralph Lauren; Charles Schwab & Co; Wells Fargo; Abbott Laboratories
        Harrison Consulting LLC, Anna Lee Hospital, Anna Lee & Sons, the Alan Turing Institute
        Virginia Beach, Santa Clara, St. Louis, Lake Victoria, San Diego, Charlotte Airport
        Martin Luther King Day, the Anna Lee Prize, Follow-Up Meeting, Load-Balancing Test, Opt-In Van Rental
        class AnnaLee, anna.Lee, Anna_Lee, AnnaLee(), Anna.lee@, /Anna Lee/, x::Anna::Lee
        January March, Account Manager, Executive Summary, Monday Tuesday, Next Steps
        Best Regards and Thank You
        Hey Siri, open Turing Test with Jenkins Pipeline
        {\"name\":\"Visual Studio Code\",\"city\":\"San Francisco\",\"company\":\"Whitfield Partners\"}
        an MS Dosbox, took 5 ms Linux,
        <PERSON> Anna, <PERSON>: Smith
        ",
    );
}

#[test]
fn keys_of_a_document_say_what_stands_below() {
    let found = |document: &str| {
        let found = crate::json::inspect(document.as_bytes(), &Scanner::new()).unwrap().findings;
        found
            .into_iter()
            .map(|finding| format!("{} {}\n", finding.entity, finding.pointer))
            .collect::<String>()
    };
    insta::assert_snapshot!(
        found(
            r#"{"customer":{"id":"A","name":"Quillon Vantree","notes":"Quillon Vantree"},"tool":{"name":"Quillon Vantree"},
            "name":[{"family":"Vantree","given":["Quillon"]}],"last_name":"de Vries","attendees":["Quillon Vantree","Ottoline Grebe"],
            "shipping_address":"Hus 3, Store Backe, Ekeby","ip_address":"Hus 3, Store Backe"}"#
        ),
        @r"
    PERSON /customer/name
    PERSON /name/0/family
    PERSON /name/0/given/0
    PERSON /last_name
    PERSON /attendees/0
    PERSON /attendees/1
    ADDRESS /shipping_address
    "
    );
    assert_eq!(Hints::default().people, super::Subject::Nothing);
}
