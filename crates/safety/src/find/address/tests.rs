//! Addresses as people write them: `⟦` and `⟧` show what is to be found, each line a text.

use crate::{Entity, Scanner};

/// Scans the text without its marks and compares what is found with what they show.
fn check(marked: &str) {
    let scanner = Scanner::new();
    let mut wrong = String::new();
    for line in marked.trim().lines().map(|line| line.trim().replace("⏎", "\n")) {
        let text = line.replace(['⟦', '⟧'], "");
        let mut found = String::new();
        let mut copied = 0;
        for span in scanner.scan(&text).iter().filter(|span| span.entity == Entity::Address) {
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
fn streets_behind_their_number() {
    check(
        "
        Ship to ⟦742 Evergreen Terrace, Springfield, IL 62704⟧.
        at ⟦12 N Maple St Apt 4B, Salt Lake City, UT 84101-1234, USA⟧ since May
        ⟦350 5th Ave, Suite 3300, New York, NY 10118⟧ and ⟦1600 Martin Luther King Jr Blvd⟧
        ⟦1200 Broadway, New York, NY 10001⟧; ⟦PO Box 1234, Boise, ID 83701⟧
        ⟦Flat 3, 10 Church Lane, Leeds LS11 5DR⟧ or ⟦221A High Street, Clifton, Bristol BS8 4QD⟧
        ⟦12 Grafton Street, Dublin 4⟧, ⟦7 Banksia Parade, Newtown NSW 2042⟧, ⟦10 Bloor Street West, Toronto, ON M4W 1A8⟧
        ⟦12 bis rue de la République, 69002 Lyon⟧ et ⟦8, avenue Victor Hugo, 75016 Paris⟧
        she lives at 42 Maple Avenue and left
        "
        .replace("42 Maple Avenue", "⟦42 Maple Avenue⟧")
        .as_str(),
    );
}

#[test]
fn streets_before_their_number() {
    check(
        "
        ⟦Lindenstraße 12a, 10115 Berlin⟧, ⟦Berliner Straße 7, 04109 Leipzig⟧, ⟦Gartenstr. 5⟧; ⟦Am Rosengarten 3, 79098 Freiburg im Breisgau⟧
        ⟦Calle Mayor 12, 3º B, 28013 Madrid⟧; ⟦C/ Alcalá, 45, 28014 Madrid⟧; ⟦Via Garibaldi 12, 20121 Milano (MI)⟧
        ⟦Keizersgracht 235-2, 1016 EA Amsterdam⟧; ⟦Storgatan 5, 111 22 Stockholm⟧; ⟦Kongens gate 6, 0153 Oslo⟧
        is ⟦Rua Augusta, 248 - São Paulo - SP, 01304-001⟧; e ⟦Avenida Paulista, 1000 - Bela Vista, São Paulo - SP⟧
        ⟦12 Main Street⟧ - Paris - the office
        mieszka przy ⟦ul. Zielona 37/3, 48-843 Opole⟧; ⟦rue des Lilas, 75020 Paris⟧; ⟦Kremnicka 7, 219 22 Kolin⟧
        ⟦Rua Aurora, 96, Bela Vista, 01209-001 Osasco / SP⟧; ⟦Davidpad 7, 8926AB Leek⟧; ⟦Hans-Sachs-Platz 9, 09281 Aue⟧
        ",
    );
}

#[test]
fn whatever_stands_under_a_key_and_looks_like_one() {
    check(
        r#"
        {"shipping_address":"⟦Ekeby Gård 3, Store Backe⟧","ip_address":"10.0.0.1 Host Name 3","email_address":"x"}
        Home address: ⟦12 Mill Close, Leeds M1 4BT⟧. Call me.
        {address: '⟦144 Baker Street, Bristol BS8 1TH⟧', passportNo: '734166352'}
        {address: '⟦Hus 3, Store Backe⟧', card: '5297-4546-7310-4352'}, address='⟦12 St. John's Road, Leeds LS1 4DY⟧' b='Ab 3'
        Address: ⟦Hus 3, Store Backe⟧, phone: +46 8 123 456 78
        Address: see Annex 3 Below: none
        {"address":"0.0.0.0:8080","address":"0xdeadbeef 1","wallet_address":"One Two 3"}
        "#,
    );
}

#[test]
fn no_addresses() {
    check(
        "
        Step 12 Drive the change. 3 Road Trips, 5 Way Handshake, 220 Park rangers, Room 12, Building C
        Top 10 Places to Work; 12 Angry Men; Windows 11 Home; 2024 Annual Report; Chapter 3: The Long Road Home
        the 100 Best Way Forward plans and 7 Wall Street analysts, 10 Main Street Bank branches
        Bowtie 3, Decade 2, Colgate 5, Via Email 3 times, 1.5 Main Street, 3/4 of Main Street, v2 Main Street
        Main Street Bank, New York, NY; Portland, OR 97201; Austin, Texas
        Sprint 5 Review, Table 4 Place settings, Form 1040 Street cleaning schedule, 90 Days
        grid 33U XP 06406 16745
        Ryzen 5, 2020 Update; Boeing 737, 2019 Report; Item 5, Unit 3; via Email 5 of 7; rue the day 5
        6008 Application Error, 3003 Authorize Session, 2004 Detection
        ",
    );
}
