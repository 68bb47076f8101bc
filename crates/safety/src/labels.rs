//! The words that say what stands beside them: one table for keys of documents, heads of columns and words in prose.

use std::sync::LazyLock;

use crate::Entity::{self, *};

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// One of these kinds.
    Kinds(&'static [Entity]),
    /// A number of another kind, which is none of ours.
    Other,
    /// Nothing: it stands between a label and its value (`is`, `number`).
    Filler,
}

/// A label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Its words.
    pub(crate) phrase: &'static str,
    pub(crate) says: Says,
    /// Whether it speaks for what follows at once only: its words have other uses.
    pub(crate) near: bool,
}

/// Longer labels are not read.
pub(crate) const MAX_WORD: usize = 28;

const NATIONAL: &[Entity] = &[
    FrNir,
    EsNif,
    EsNie,
    ItFiscalCode,
    FiPersonalIdentityCode,
    NoFodselsnummer,
    DeTaxId,
    PlPesel,
    NlBsn,
    SePersonnummer,
    InAadhaar,
    UkNino,
    CaSin,
    DkCpr,
    UsSsn,
];
const TAX: &[Entity] = &[DeTaxId, UkUtr, EsNif, EsNie, ItFiscalCode, AuTfn, UsItin, UsSsn];

/// Phrases by what they say. A `!` in front: for what follows at once only.
#[rustfmt::skip]
const TABLE: &[(Says, &[&str])] = &[
    (Says::Kinds(&[UsSsn, FrNir]), &[
        "ssn", "social security", "socialsecurity", "socialsecuritynumber", "soc sec", "social sec",
        "!ss number", "!ss", "!my social", "!your social", "!his social", "!her social", "!their social",
    ]),
    (Says::Kinds(&[UsItin, UsSsn]), &[
        "itin", "individual taxpayer", "taxpayer identification", "taxpayer id", "!tin",
    ]),
    (Says::Kinds(TAX), &[
        "tax id", "tax identification", "tax identifier", "taxid", "tax number", "vat id",
    ]),
    (Says::Kinds(NATIONAL), &[
        "national id", "national identification", "national identity", "national identifier",
        "national number", "identity number", "identity card", "id card", "citizen id", "personal id",
        "personal identity", "personal number", "nationalid",
    ]),
    (Says::Kinds(&[PhoneNumber]), &[
        "phone", "telephone", "!tel", "mobile", "cell", "cellphone", "fax", "whatsapp", "sms", "!ph",
        "dial", "landline", "msisdn", "callback", "call", "text me at", "reach me at", "reach me on",
        "contact number", "telefon", "telefono", "teléfono", "téléphone", "móvil", "movil", "handy",
        "telefoon", "phonenumber", "mobilephone", "!tél", "!cel", "celular", "!hp", "caller id", "!my number",
        "handynummer", "mobilnummer", "rufnummer", "telefonnummer", "llámame", "llamame",
        "!mob", "telefone", "!fone", "mobiel", "whats app", "!ring me", "!ring me on", "!bel me", "!bel me op", "joignable", "appelez", "!portable", "!appelez le",
    ]),
    (Says::Kinds(&[UsNpi]), &[
        "npi", "national provider", "provider identifier", "provider id", "!xx",
    ]),
    (Says::Kinds(&[UsMbi, MemberId]), &[
        "mbi", "medicare", "medicare beneficiary", "medicare id", "medicare number", "hicn",
    ]),
    (Says::Kinds(&[MedicalRecordNumber]), &[
        "mrn", "medical record", "med rec", "medrec", "medical rec", "patient id", "patient number",
        "patient identifier", "patient record", "patient mrn", "patientid", "!patient", "pt id", "!pt",
        "!chart", "chart id", "chart number", "hospital number", "hospital id", "health record", "ehr id",
        "emr id", "!mr number", "!mr",
    ]),
    (Says::Kinds(&[DateOfBirth]), &[
        "dob", "d o b", "date of birth", "dateofbirth", "birth date", "birthdate", "birthday", "bday",
        "born", "birth", "geburtsdatum", "geboren", "geb", "date de naissance", "naissance", "né le",
        "née le", "fecha de nacimiento", "nacimiento", "data di nascita", "nascita", "nato il", "nata il",
        "geboortedatum", "data de nascimento", "nascimento", "data urodzenia", "fødselsdato",
        "fodselsdato", "födelsedatum", "syntymäaika", "nacido", "nacida", "nació",
    ]),
    (Says::Kinds(&[AdmissionDate]), &[
        "admission", "admission date", "admit date", "date of admission", "admitted", "admitted on",
        "admitted at", "admit", "admissiondate", "hospitalized", "hospitalised",
    ]),
    (Says::Kinds(&[DischargeDate]), &[
        "discharge", "discharge date", "date of discharge", "discharged", "discharged on", "discharged at",
        "dischargedate",
    ]),
    (Says::Kinds(&[DateOfDeath]), &[
        "death", "date of death", "death date", "died", "died on", "deceased", "deceased on",
        "passed away", "!dod", "deathdate", "time of death",
    ]),
    (Says::Kinds(&[Age]), &["!age", "!aged", "!turned", "!turning", "patient age"]),
    (Says::Kinds(&[AbaRouting]), &[
        "routing", "routing number", "aba", "aba routing", "rtn", "routing transit", "transit number",
        "fedwire", "routingnumber", "aba number",
    ]),
    (Says::Kinds(&[UsBankNumber]), &[
        "account number", "bank account", "bank account number", "checking account", "saving",
        "saving account", "deposit account", "acct", "acct number", "bank acct", "accountnumber",
        "bankaccount", "beneficiary account", "direct deposit", "current account", "payee account",
        "account ending", "bank number", "!a c number", "!account", "!dda", "demand deposit",
    ]),
    (Says::Kinds(&[UsPassport]), &[
        "passport", "passport number", "travel document", "passeport", "pasaporte", "reisepass",
        "passportnumber",
    ]),
    (Says::Kinds(&[UsDriverLicense]), &[
        "driver license", "driver license number", "driving license", "driver lic", "driver id",
        "driver permit", "operator license", "dmv", "!dl", "dln", "driverlicense", "driverslicense",
        "license dl", "license number", "drv lic", "driving permit", "dl number",
    ]),
    (Says::Kinds(&[LicensePlate]), &[
        "license plate", "plate number", "number plate", "!plate", "registration plate", "vehicle plate",
        "plate", "kennzeichen", "vehicle registration", "vehicle reg", "license tag", "licenseplate",
        "car registration",
    ]),
    (Says::Kinds(&[MedicalLicense]), &[
        "dea", "dea number", "dea registration", "medical license", "physician license", "prescriber",
        "controlled substance", "prescriber id", "prescriber dea",
    ]),
    (Says::Kinds(&[Cvv]), &[
        "cvv", "cvc", "csc", "security code", "card verification", "card code", "!cid", "card security",
        "cvv code", "cvc code", "card verification value", "card verification code", "cryptogramme",
        "cryptogramme visuel", "code on the back", "code on back", "prüfnummer", "kartenprüfnummer",
        "código de seguridad", "codigo de seguridad", "codice di sicurezza", "code de sécurité",
    ]),
    (Says::Kinds(&[CardExpiry]), &[
        "!exp", "expiry", "expiration", "!expires", "!expire", "valid thru", "valid through", "good thru",
        "valid until", "exp date", "expiry date", "expiration date", "card expiry", "card exp",
        "card expiration", "!exp month",
    ]),
    (Says::Kinds(&[Vin]), &[
        "vin", "vehicle identification", "vehicle id", "chassis", "chassis number", "vin number",
    ]),
    (Says::Kinds(&[Imei]), &["imei", "imei number", "device imei", "imeisv"]),
    (Says::Kinds(&[MemberId]), &[
        "member id", "member number", "memberid", "subscriber id", "subscriber number", "!subscriber",
        "insurance id", "insurance number", "insurance member", "health plan", "health plan id",
        "health plan number", "insurance policy", "insurance policy number", "policy holder id",
        "policyholder id", "beneficiary id", "beneficiary number", "medicaid", "medicaid id",
        "medicaid number", "health insurance", "health insurance id", "health insurance number",
        "health plan beneficiary", "plan member", "group member", "enrollee id", "!member",
    ]),
    (Says::Kinds(&[DeviceSerial]), &[
        "device serial", "serial number", "!serial", "implant serial", "device identifier",
        "device serial number", "serialnumber", "pacemaker", "udi", "!sn", "!s n",
    ]),
    (Says::Kinds(&[SwiftCode]), &[
        "swift", "bic", "swift code", "bic code", "swift bic", "bic swift", "bank identifier",
        "bank identifier code", "swiftcode", "swiftbic",
    ]),
    (Says::Kinds(&[UkNino]), &[
        "nino", "national insurance", "national insurance number", "ni number", "!ni", "nin", "n i number", "!n i",
    ]),
    (Says::Kinds(&[UkNhs]), &["nhs", "nhs number", "nhs id"]),
    (Says::Kinds(&[UkUtr]), &[
        "utr", "utr number", "unique taxpayer", "unique taxpayer reference", "taxpayer reference",
        "tax reference",
    ]),
    (Says::Kinds(&[DeTaxId]), &[
        "steuer id", "steuerid", "steueridentifikationsnummer", "steuer identifikationsnummer",
        "steueridnr", "idnr", "steuernummer", "tin germany", "identifikationsnummer", "german tax",
    ]),
    (Says::Kinds(&[FrNir]), &[
        "nir", "sécurité sociale", "securite sociale", "insee", "numéro de sécurité sociale", "secu", "sécu",
        "french social security",
    ]),
    (Says::Kinds(&[EsNif, EsNie]), &[
        "dni", "nif", "nie", "documento identidad", "documento de identidad", "documento nacional de identidad",
    ]),
    (Says::Kinds(&[ItFiscalCode]), &["codice fiscale", "fiscal code", "!cf"]),
    (Says::Kinds(&[PlPesel]), &["pesel"]),
    (Says::Kinds(&[NlBsn]), &[
        "bsn", "burgerservicenummer", "sofinummer", "citizen service number", "citizen service",
    ]),
    (Says::Kinds(&[SePersonnummer, NoFodselsnummer, DkCpr]), &[
        "personnummer", "personnr", "person nummer", "samordningsnummer", "pers number",
    ]),
    (Says::Kinds(&[FiPersonalIdentityCode]), &["hetu", "henkilötunnus", "henkilotunnus"]),
    (Says::Kinds(&[DkCpr]), &["cpr", "cpr number", "cprnummer", "cpr nummer"]),
    (Says::Kinds(&[NoFodselsnummer]), &["fødselsnummer", "fodselsnummer", "fnr"]),
    (Says::Kinds(&[BeNationalNumber]), &[
        "rijksregisternummer", "registre national", "national register", "insz", "niss",
    ]),
    (Says::Kinds(&[ChAhv]), &["ahv", "avs"]),
    (Says::Kinds(&[CaSin]), &["!sin", "social insurance", "social insurance number"]),
    (Says::Kinds(&[BrCpf]), &["cpf"]),
    (Says::Kinds(&[InAadhaar]), &["aadhaar", "aadhar", "uidai", "adhaar"]),
    (Says::Kinds(&[AuTfn]), &["tfn", "tax file", "tax file number"]),
    (Says::Kinds(&[Password]), &[
        "password", "passwd", "pwd", "passcode", "passphrase", "!pass", "!pw", "passwort", "kennwort",
        "contraseña", "mot de passe", "userpassword", "dbpassword", "passwordvalue", "pgpassword",
        "adminpassword", "rootpassword", "identified by", "!requirepass",
        "!masterauth",
    ]),
    (Says::Kinds(&[AwsSecretKey, GenericSecret]), &[
        "aws secret", "aws secret key", "aws secret access key", "secret access key", "awssecretaccesskey",
        "secretaccesskey", "awssecretkey",
    ]),
    (Says::Kinds(&[AwsSecretKey, GenericSecret]), &["secret key", "!secretkey"]),
    (Says::Kinds(&[GenericSecret]), &[
        "secret", "api key", "apikey", "client secret", "clientsecret", "api secret", "apisecret",
        "app secret", "consumer secret", "webhook secret", "shared secret", "signing secret", "jwt secret",
        "session secret", "secret token", "master key", "private key", "privatekey", "signing key",
        "encryption key", "hmac key", "account key", "sharedaccesskey", "accountkey", "subscription key",
        "service key", "license key", "auth key", "authkey", "authtoken", "auth token", "api token",
        "apitoken", "access token", "accesstoken", "refresh token", "refreshtoken", "session token",
        "sessiontoken", "id token", "bearer", "bearer token", "bot token", "deploy token",
        "personal access token", "oauth token", "security token", "token", "credential", "authorization",
        "access key", "accesskey", "api credential", "x api key", "x auth token", "app key",
        "application key", "deploy key", "integration key", "write key", "dsn key", "passkey",
        "csrf token", "xsrf token", "session key", "token secret", "recovery key", "seed phrase",
    ]),
    (Says::Other, &[
        "order", "order id", "order number", "invoice", "invoice number", "ticket", "ticket number",
        "case", "case number", "reference", "ref", "reference number", "tracking", "tracking number",
        "claim", "claim number", "zip", "zip code", "zipcode", "postal", "postcode", "ein", "sku", "part",
        "part number", "model", "model number", "po", "po number", "purchase order", "transaction",
        "transaction id", "txn", "shipment", "batch", "lot", "lot number", "item", "product", "product id",
        "commit", "uuid", "guid", "epoch", "timestamp", "isbn", "issn", "room", "ext", "extension",
        "employee", "employee id", "customer id", "customer number", "user id", "userid", "port", "pid",
        "seq", "sequence", "job", "job id", "request", "request id", "trace", "trace id", "span",
        "session id", "session", "event", "event id", "build", "amount", "total", "price", "qty",
        "quantity", "balance", "confirmation", "booking", "reservation", "flight", "incident", "issue",
        "bug", "error", "id", "account id", "account name", "account manager", "account type",
        "user account", "account holder", "upc", "ean", "gtin", "asin", "barcode", "message id", "size",
        "byte", "hash", "sha", "checksum", "digest", "etag", "md5", "count", "version", "release",
        "firmware", "revision", "certificate serial", "cert serial", "serial hex", "verified at",
        "created", "created at", "updated", "updated at", "updated on", "modified", "modified at", "due",
        "due date", "start date", "end date", "issued", "issue date", "shipped", "delivered", "scheduled",
        "appointment", "visit", "meeting", "deadline", "effective", "signed", "hired", "hire date",
        "joined", "merged", "deployed", "released", "node", "process", "thread", "score", "population",
        "weight", "height", "license key id", "device model", "container", "page token", "next token",
        "nexttoken", "next page token", "nextpagetoken", "continuation token", "prompt token",
        "completion token", "input token", "output token", "total token", "max token", "maxtoken",
        "cached token", "token count", "public key", "primary key", "foreign key", "cache key",
        "partition key", "sort key", "object key", "idempotency key", "key id", "secret name", "secret id",
        "secret arn", "token type", "password hash", "password policy", "password manager", "sync token", "page key", "cursor",
        "nonce", "api version", "sort code", "call id", "tool call", "tool call id", "call sid",
        "call duration", "call center", "phone model", "phone type", "cell b", "chart version",
        "helm chart", "chart js", "birth certificate", "group",
        "group number", "plan", "tracking id", "merchant", "merchant id", "store", "warehouse", "bin",
        "vat", "vat number", "company number", "registration", "ledger", "gl account", "cost center",
        "contract", "contract number", "agreement", "docket", "parcel", "permit", "loan", "loan number",
        "policy", "policy number", "rma", "return", "voucher", "coupon", "promo", 
        "device model",
    ]),
    (Says::Filler, &[
        "number", "is", "was", "are", "were", "be", "on", "of", "the", "a", "an", "my", "your", "his",
        "her", "their", "our", "its", "this", "that", "for", "with", "as", "to", "it", "at", "date",
        "value", "field", "in", "record", "code", "de", "le", "la", "el", "il", "der", "die", "das", "ist",
        "es", "est", "and", "or", "s", "d",
    ]),
];

/// A word by which labels are looked up, in whatever case: without the `s` of a plural, an abbreviation in full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key<'t> {
    word: &'t [u8],
    hash: u32,
}

impl<'t> Key<'t> {
    pub(crate) fn of(word: &'t [u8]) -> Self {
        Self::exactly(canonical(word))
    }

    /// The word as it stands.
    pub(crate) fn exactly(word: &'t [u8]) -> Self {
        // FNV-1a: the words are ours, so nobody can make them collide.
        let hash = word.iter().fold(0x811c_9dc5_u32, |hash, b| {
            (hash ^ u32::from(b.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
        });
        Self { word, hash: hash ^ (hash >> 15) }
    }

    /// Whether it is this word of a label, in small letters.
    pub(crate) fn is(&self, known: &[u8]) -> bool {
        self.word.eq_ignore_ascii_case(known)
    }
}

/// Words that stand for others.
fn canonical(word: &[u8]) -> &[u8] {
    const STAND_FOR: [(&[u8], &[u8]); 10] = [
        (b"no", b"number"),
        (b"num", b"number"),
        (b"nr", b"number"),
        (b"nbr", b"number"),
        (b"numero", b"number"),
        (b"nummer", b"number"),
        (b"licence", b"license"),
        (b"licenc", b"license"),
        (b"lic", b"license"),
        (b"driving", b"driver"),
    ];
    let other = match word {
        [b'n' | b'N' | b'l' | b'L' | b'd' | b'D', ..] if word.len() <= 7 => {
            STAND_FOR.iter().find(|(short, _)| word.eq_ignore_ascii_case(short))
        }
        _ => None,
    };
    match (other, word) {
        (Some((_, long)), _) => long,
        (None, [first @ .., before, b's' | b'S']) if first.len() > 1 && !matches!(before, b's' | b'S') => {
            word.get(..word.len() - 1).unwrap_or(word)
        }
        _ => word,
    }
}

/// The labels by their last word.
struct Index {
    /// Per slot, the labels whose last word hashes there.
    slots: Vec<Vec<Entry>>,
    /// By other bits of the hash, as bits, whether any label ends so: most words are done with here.
    ends: [u64; ENDS / 64],
    /// Per first letter, the last letters of words that end the label of a secret, as bits: most words are done
    /// with here.
    secret_ends: [u32; 32],
}

impl Index {
    fn may_end_secret(&self, word: &[u8]) -> bool {
        let (Some(&first), Some(&last)) = (word.first(), word.last()) else { return false };
        self.secret_ends.get(usize::from(first & 31)).is_some_and(|ends| ends >> (last & 31) & 1 == 1)
    }

    /// The labels that may end with the word.
    fn entries(&self, last: Key<'_>) -> impl Iterator<Item = &Entry> {
        let (place, bit) = end(last.hash);
        let known = self.ends.get(place).is_some_and(|bits| bits & bit != 0);
        let entries = known.then(|| self.slots.get(slot(last.hash))).flatten().map(Vec::as_slice);
        entries
            .unwrap_or_default()
            .iter()
            .filter(move |entry| entry.last == last.hash && entry.words.first().is_some_and(|w| last.is(w)))
    }
}

struct Entry {
    /// The hash of the last word.
    last: u32,
    /// The canonical words, the last first.
    words: Vec<Vec<u8>>,
    label: Label,
}

/// About four times as many as there are last words.
const SLOTS: usize = 2048;

/// Bits that tell most other words from last ones.
const ENDS: usize = 8192;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut slots: Vec<Vec<Entry>> = (0..SLOTS).map(|_| Vec::new()).collect();
    let (mut ends, mut secret_ends) = ([0_u64; ENDS / 64], [0_u32; 32]);
    for &(says, phrases) in TABLE {
        for &written in phrases {
            let phrase = written.trim_start_matches('!');
            let label = Label { phrase, says, near: written.starts_with('!') };
            let words: Vec<Key<'_>> = phrase.split(' ').rev().map(|word| Key::of(word.as_bytes())).collect();
            let Some(last) = words.first() else { continue };
            let (place, bit) = end(last.hash);
            if let Some(bits) = ends.get_mut(place) {
                *bits |= bit;
            }
            if label.is_secret()
                && let [first, ..] = last.word
                && let Some(letter) = last.word.last()
                && let Some(ends) = secret_ends.get_mut(usize::from(first & 31))
            {
                // Also in the plural.
                *ends |= 1 << (letter & 31) | 1 << (b's' & 31);
            }
            let (hash, words) = (last.hash, words.iter().map(|key| key.word.to_vec()).collect());
            if let Some(slot) = slots.get_mut(slot(hash)) {
                slot.push(Entry { last: hash, words, label });
            }
        }
    }
    // The longest phrase decides.
    for slot in &mut slots {
        slot.sort_by_key(|entry| std::cmp::Reverse(entry.words.len()));
    }
    Index { slots, ends, secret_ends }
});

/// Builds the index, so that the first text does not wait for it.
pub(crate) fn warm_up() {
    LazyLock::force(&INDEX);
}

fn slot(hash: u32) -> usize {
    usize::try_from(hash).unwrap_or_default() % SLOTS
}

/// The bit of a hash among those that say whether a label ends so: its number, and the bit in it.
fn end(hash: u32) -> (usize, u64) {
    let bit = usize::try_from(hash >> 8).unwrap_or_default() % ENDS;
    (bit / 64, 1 << (bit % 64))
}

/// The longest label that ends with `last`; `before(n)` is the word `n` places before it.
pub(crate) fn ending<'w>(
    last: Key<'_>,
    mut before: impl FnMut(usize) -> Option<Key<'w>>,
) -> Option<&'static Label> {
    let mut entries = INDEX.entries(last);
    let fits = |entry: &&Entry| {
        entry.words.iter().enumerate().skip(1).all(|(n, word)| before(n).is_some_and(|key| key.is(word)))
    };
    entries.find(fits).map(|entry| &entry.label)
}

/// Whether a label of a secret ends with this word, in whatever case.
pub(crate) fn ends_secret(word: &[u8]) -> bool {
    INDEX.may_end_secret(word)
        && word.len() <= MAX_WORD
        && INDEX.entries(Key::of(word)).any(|entry| entry.label.is_secret())
}

impl Label {
    /// How many words it has.
    pub(crate) fn words(&self) -> usize {
        self.phrase.split(' ').count()
    }

    pub(crate) fn kinds(&self) -> &'static [Entity] {
        match self.says {
            Says::Kinds(kinds) => kinds,
            _ => &[],
        }
    }

    /// Whether it announces what must stay secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.kinds().first().is_some_and(|kind| kind.class() == crate::Class::Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_phrase_says_two_things_and_all_words_fit() {
        let mut seen = std::collections::BTreeMap::new();
        for (says, phrases) in TABLE {
            for phrase in *phrases {
                let phrase = phrase.trim_start_matches('!');
                let words: Vec<_> = phrase.split(' ').map(|w| canonical(w.as_bytes())).collect();
                assert!(words.iter().all(|word| word.len() <= MAX_WORD), "{phrase}");
                let before = seen.insert(words, *says);
                assert!(before.is_none_or(|before| before == *says), "{phrase}");
            }
        }
    }
}
