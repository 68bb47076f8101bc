//! What a key or a label says about the value behind it: that it names somebody, or where somebody lives.

/// How much of a label is read.
pub(crate) const LABEL_BYTES: usize = 48;

/// Words of a label that are looked at; the last ones say what it is.
const MAX_WORDS: usize = 6;

/// What a label says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subject {
    #[default]
    Nothing,
    /// `name`: of anything.
    Name,
    /// `customer`: somebody, or a firm.
    Role,
    /// `customer_name`, `patient`: somebody.
    FullName,
    /// `first_name`: one part of a name.
    NamePart,
    /// `shipping_address`.
    Address,
}

impl Subject {
    /// What stands under `key` in an object of which this is said.
    pub(crate) fn under(self, key: &[u8]) -> Self {
        let said = read(key);
        match (self, said) {
            // `{"customer": {"name": …}}`
            (Self::Role | Self::FullName, Self::Name) => Self::FullName,
            // `{"name": {"text": …}}`
            (above, Self::Nothing) if is_plain(key) => above,
            _ => said,
        }
    }
}

/// Keys that only say that here is the value.
fn is_plain(key: &[u8]) -> bool {
    [&b"text"[..], b"value", b"display", b"full", b"formatted"]
        .iter()
        .any(|plain| key.eq_ignore_ascii_case(plain))
}

/// What this label says: its last word, in the light of those before.
pub(crate) fn read(label: &[u8]) -> Subject {
    let words = Words::of(label);
    let words = words.as_slice();
    let Some((last, before)) = words.split_last() else { return Subject::Nothing };
    let previous = before.last().map(Word::as_slice).unwrap_or_default();
    let last = last.as_slice();
    if let Some(glued) = last.strip_suffix(b"name").or_else(|| last.strip_suffix(b"names")) {
        return of_name(before, if glued.is_empty() { previous } else { glued });
    }
    if PARTS.contains(&last) {
        return if is_thing(before) { Subject::Nothing } else { Subject::NamePart };
    }
    if NAMES.contains(&last) {
        return of_name(before, previous);
    }
    if is_address(last, before) {
        return Subject::Address;
    }
    if last == b"by" && ACTS.contains(&previous) || last == b"to" && SENT.contains(&previous) {
        return Subject::FullName;
    }
    let last = last.strip_suffix(b"s").filter(|one| PEOPLE.contains(one)).unwrap_or(last);
    match last {
        _ if is_thing(before) => Subject::Nothing,
        _ if PEOPLE.contains(&last) => Subject::FullName,
        _ if PARTIES.contains(&last) => Subject::Role,
        _ => Subject::Nothing,
    }
}

/// `name` behind other words: `customer_name`, `product_name`.
fn of_name(before: &[Word], previous: &[u8]) -> Subject {
    if THINGS.contains(&previous) || is_thing(before) {
        return Subject::Nothing;
    }
    if NAME_PARTS.contains(&previous) {
        return Subject::NamePart;
    }
    let whose = |word: &[u8]| PEOPLE.contains(&word) || PARTIES.contains(&word) || WHOLE.contains(&word);
    if whose(previous) || before.iter().any(|word| whose(word.as_slice())) {
        Subject::FullName
    } else {
        Subject::Name
    }
}

fn is_thing(before: &[Word]) -> bool {
    before.iter().any(|word| THINGS.contains(&word.as_slice()))
}

fn is_address(last: &[u8], before: &[Word]) -> bool {
    let line = |word: &[u8]| matches!(word, b"address" | b"addr" | b"street");
    let word = match before.last() {
        // `address_line_1`, `address1`
        Some(previous) if last == b"line" && line(previous.as_slice()) => previous.as_slice(),
        _ => last,
    };
    ADDRESSES.contains(&word) && !before.iter().any(|word| NETWORK.contains(&word.as_slice()))
}

/// Words for a name as such.
const NAMES: [&[u8]; 8] = [b"nombre", b"nom", b"nome", b"naam", b"namn", b"navn", b"nimi", b"nazwisko"];

/// Before `name`: a part of one.
const NAME_PARTS: [&[u8]; 10] =
    [b"first", b"last", b"middle", b"given", b"family", b"sur", b"fore", b"maiden", b"nick", b"vor"];

/// Words for a part of a name.
const PARTS: [&[u8]; 19] = [
    b"given",
    b"family",
    b"firstname",
    b"vorname",
    b"nachname",
    b"familienname",
    b"prenom",
    b"apellido",
    b"apellidos",
    b"cognome",
    b"achternaam",
    b"voornaam",
    b"efternamn",
    b"fornamn",
    b"fornavn",
    b"etternavn",
    b"etunimi",
    b"sukunimi",
    b"imie",
];

/// Before `name`: all of it, and a person's.
const WHOLE: [&[u8]; 8] =
    [b"full", b"legal", b"real", b"preferred", b"person", b"people", b"complete", b"individual"];

/// People and nobody else.
const PEOPLE: [&[u8]; 72] = [
    b"patient",
    b"assignee",
    b"author",
    b"requester",
    b"requestor",
    b"reporter",
    b"attendee",
    b"participant",
    b"employee",
    b"candidate",
    b"applicant",
    b"cardholder",
    b"accountholder",
    b"attending",
    b"physician",
    b"doctor",
    b"prescriber",
    b"nurse",
    b"surgeon",
    b"therapist",
    b"dentist",
    b"radiologist",
    b"guardian",
    b"spouse",
    b"husband",
    b"wife",
    b"mother",
    b"father",
    b"son",
    b"daughter",
    b"parent",
    b"child",
    b"kin",
    b"passenger",
    b"student",
    b"teacher",
    b"guest",
    b"speaker",
    b"interviewer",
    b"interviewee",
    b"witness",
    b"signatory",
    b"signer",
    b"recipient",
    b"addressee",
    b"attn",
    b"caller",
    b"beneficiary",
    b"insured",
    b"subscriber",
    b"guarantor",
    b"manager",
    b"supervisor",
    b"reviewer",
    b"approver",
    b"resident",
    b"member",
    b"driver",
    b"traveler",
    b"traveller",
    b"claimant",
    b"defendant",
    b"plaintiff",
    b"lawyer",
    b"attorney",
    b"colleague",
    b"mitarbeiter",
    b"paciente",
    b"patientin",
    b"empleado",
    b"salesperson",
    b"caregiver",
];

/// People or firms.
const PARTIES: [&[u8]; 36] = [
    b"customer",
    b"client",
    b"contact",
    b"owner",
    b"holder",
    b"sender",
    b"from",
    b"to",
    b"cc",
    b"bcc",
    b"tenant",
    b"landlord",
    b"buyer",
    b"seller",
    b"payee",
    b"payer",
    b"provider",
    b"user",
    b"lead",
    b"host",
    b"agent",
    b"admin",
    b"borrower",
    b"donor",
    b"kunde",
    b"cliente",
    b"klant",
    b"debtor",
    b"creditor",
    b"consultant",
    b"representative",
    b"rep",
    b"organizer",
    b"organiser",
    b"submitter",
    b"debitor",
];

/// Before `name` or a person: what is meant is a thing.
const THINGS: [&[u8]; 92] = [
    b"product",
    b"file",
    b"tool",
    b"function",
    b"class",
    b"method",
    b"variable",
    b"var",
    b"column",
    b"table",
    b"field",
    b"database",
    b"db",
    b"schema",
    b"server",
    b"service",
    b"domain",
    b"company",
    b"organization",
    b"organisation",
    b"org",
    b"business",
    b"brand",
    b"city",
    b"country",
    b"state",
    b"region",
    b"project",
    b"repo",
    b"repository",
    b"branch",
    b"package",
    b"module",
    b"app",
    b"application",
    b"event",
    b"campaign",
    b"list",
    b"group",
    b"team",
    b"department",
    b"plan",
    b"device",
    b"model",
    b"drug",
    b"medication",
    b"test",
    b"task",
    b"job",
    b"role",
    b"policy",
    b"rule",
    b"index",
    b"key",
    b"secret",
    b"bucket",
    b"queue",
    b"topic",
    b"channel",
    b"course",
    b"school",
    b"hospital",
    b"hotel",
    b"font",
    b"theme",
    b"node",
    b"pod",
    b"container",
    b"image",
    b"label",
    b"tag",
    b"category",
    b"type",
    b"template",
    b"report",
    b"document",
    b"folder",
    b"page",
    b"screen",
    b"menu",
    b"item",
    b"sku",
    b"user",
    b"host",
    b"log",
    b"code",
    b"bank",
    b"host",
    b"cluster",
    b"short",
    b"space",
    b"path",
];

/// `approved by`.
const ACTS: [&[u8]; 22] = [
    b"approved",
    b"created",
    b"signed",
    b"reviewed",
    b"written",
    b"prepared",
    b"requested",
    b"reported",
    b"submitted",
    b"sent",
    b"authored",
    b"updated",
    b"modified",
    b"assigned",
    b"seen",
    b"ordered",
    b"called",
    b"booked",
    b"prescribed",
    b"completed",
    b"verified",
    b"issued",
];

/// `bill to`.
const SENT: [&[u8]; 8] =
    [b"assigned", b"bill", b"billed", b"ship", b"shipped", b"invoice", b"sold", b"deliver"];

const ADDRESSES: [&[u8]; 17] = [
    b"address",
    b"addresses",
    b"addr",
    b"street",
    b"adresse",
    b"anschrift",
    b"direccion",
    b"domicilio",
    b"indirizzo",
    b"adres",
    b"residence",
    b"adress",
    b"endereco",
    b"homeaddress",
    b"streetaddress",
    b"postanschrift",
    b"strasse",
];

/// Addresses of machines and accounts.
const NETWORK: [&[u8]; 34] = [
    b"email",
    b"mail",
    b"e",
    b"ip",
    b"ipv",
    b"mac",
    b"wallet",
    b"btc",
    b"eth",
    b"bitcoin",
    b"ethereum",
    b"crypto",
    b"web",
    b"url",
    b"server",
    b"host",
    b"contract",
    b"memory",
    b"bind",
    b"listen",
    b"remote",
    b"source",
    b"destination",
    b"http",
    b"site",
    b"base",
    b"port",
    b"network",
    b"node",
    b"peer",
    b"payout",
    b"deposit",
    b"token",
    b"broadcast",
];

/// Longest word that the lists hold.
const MAX_WORD: usize = 16;

#[derive(Clone, Copy, Default)]
struct Word {
    bytes: [u8; MAX_WORD],
    len: usize,
}

impl Word {
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte.to_ascii_lowercase();
            self.len += 1;
        }
    }
}

/// The last words of a label in small letters, split at humps as well; digits split and vanish.
struct Words {
    items: [Word; MAX_WORDS],
    count: usize,
}

impl Words {
    fn of(label: &[u8]) -> Self {
        let mut words = Self { items: [Word::default(); MAX_WORDS], count: 0 };
        let label = label.get(label.len().saturating_sub(LABEL_BYTES)..).unwrap_or_default();
        let mut previous = b' ';
        for (i, &b) in label.iter().enumerate() {
            let next_small = label.get(i + 1).is_some_and(u8::is_ascii_lowercase);
            let hump = b.is_ascii_uppercase()
                && (previous.is_ascii_lowercase() || previous.is_ascii_uppercase() && next_small);
            if b.is_ascii_alphabetic() {
                if hump || !previous.is_ascii_alphabetic() {
                    words.open();
                }
                if let Some(word) = words.count.checked_sub(1).and_then(|last| words.items.get_mut(last)) {
                    word.push(b);
                }
            }
            previous = b;
        }
        words
    }

    /// Starts a word; where there is no more room, the first is forgotten.
    fn open(&mut self) {
        if self.count == MAX_WORDS {
            self.items.rotate_left(1);
            self.count -= 1;
        }
        if let Some(word) = self.items.get_mut(self.count) {
            *word = Word::default();
        }
        self.count += 1;
    }

    fn as_slice(&self) -> &[Word] {
        self.items.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[&str]) -> String {
        labels.iter().map(|label| format!("{label}: {:?}\n", read(label.as_bytes()))).collect()
    }

    #[test]
    fn labels_of_people() {
        let labels = [
            "name",
            "Full Name",
            "customer_name",
            "patientName",
            "first_name",
            "surname",
            "lastName",
            "FIRST_NAME",
        ];
        insta::assert_snapshot!(check(&labels), @r"
        name: Name
        Full Name: FullName
        customer_name: FullName
        patientName: FullName
        first_name: NamePart
        surname: NamePart
        lastName: NamePart
        FIRST_NAME: NamePart
        ");
        let labels = [
            "Patient",
            "customer",
            "assigned to",
            "Approved By",
            "Emergency contact",
            "attendees",
            "given",
            "apellidos",
        ];
        insta::assert_snapshot!(check(&labels), @r"
        Patient: FullName
        customer: Role
        assigned to: FullName
        Approved By: FullName
        Emergency contact: Role
        attendees: FullName
        given: NamePart
        apellidos: NamePart
        ");
    }

    #[test]
    fn labels_of_things() {
        let labels = [
            "product_name",
            "filename",
            "fileName",
            "hostname",
            "username",
            "tool_name",
            "className",
            "company name",
            "font-family",
            "notes",
            "",
        ];
        insta::assert_snapshot!(check(&labels), @r"
        product_name: Nothing
        filename: Nothing
        fileName: Nothing
        hostname: Nothing
        username: Nothing
        tool_name: Nothing
        className: Nothing
        company name: Nothing
        font-family: Nothing
        notes: Nothing
        : Nothing
        ");
    }

    #[test]
    fn labels_of_addresses() {
        let labels = [
            "address",
            "shippingAddress",
            "street",
            "address_line_1",
            "Home address",
            "email_address",
            "ip address",
            "mac_addr",
            "wallet_address",
            "memory address",
        ];
        insta::assert_snapshot!(check(&labels), @r"
        address: Address
        shippingAddress: Address
        street: Address
        address_line_1: Address
        Home address: Address
        email_address: Nothing
        ip address: Nothing
        mac_addr: Nothing
        wallet_address: Nothing
        memory address: Nothing
        ");
    }

    #[test]
    fn what_is_above_speaks_for_what_only_says_name() {
        assert_eq!(Subject::Role.under(b"name"), Subject::FullName);
        assert_eq!(Subject::Nothing.under(b"name"), Subject::Name);
        assert_eq!(Subject::Name.under(b"text"), Subject::Name);
        assert_eq!(Subject::FullName.under(b"id"), Subject::Nothing);
    }
}
