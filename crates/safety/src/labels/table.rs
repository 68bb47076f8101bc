//! The words that say what stands beside them, by what they say: one table for keys of documents, heads of columns and
//! words in prose, in the languages that agents write.

use super::Says;
use crate::Entity::{self, *};

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
/// Not Australia's: one number in eleven passes its check, social security numbers among them.
const TAX: &[Entity] = &[DeTaxId, UkUtr, EsNif, EsNie, ItFiscalCode, UsItin, UsSsn];

/// Phrases by what they say. A `!` in front: for what follows at once only.
#[rustfmt::skip]
pub(super) const TABLE: &[(Says, &[&str])] = &[
    (Says::Kinds(&[UsSsn, FrNir]), &[
        "ssn", "social security", "socialsecurity", "socialsecuritynumber", "socialsecurityno", "socialsecuritynum", "soc sec", "social sec",
        "!ss number", "!ss", "code ss", "ssnnumber", "ssnno", "!my social", "!your social", "!his social", "!her social", "!their social", "!social", "seguro social",
        "seguridad social",
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
        "!mob", "telefone", "!fone", "mobiel", "whats app", "!ring me", "!ring me on", "!bel me", "!bel me op", "joignable", "appelez", "!portable", "!appelez le", "cellulare", "telefonu", "puhelin",
        "puhelinnumero", "hotline", "direct line", "direct dial", "recapito telefonico", "komórka", "mobilný",
        "telefoonnummer", "gsm", "telefonsko", "mobiltelefon", "numéro de tél",
    ]),
    (Says::Kinds(&[UsNpi]), &[
        "npi", "npinumber", "national provider", "provider identifier", "provider id", "!xx",
    ]),
    (Says::Kinds(&[UsMbi, MemberId]), &[
        "mbi", "medicare", "medicare beneficiary", "medicare id", "medicare number", "hicn",
    ]),
    (Says::Kinds(&[MedicalRecordNumber]), &[
        "mrn", "medical record", "med rec", "medrec", "medical rec", "patient id", "patient number",
        "patient identifier", "patient record", "patient mrn", "patientid", "!patient", "pt id", "!pt",
        "!chart", "chart id", "chart number", "hospital number", "hospital id", "health record", "ehr id",
        "emr id", "!mr number", "!mr", "code mr", "mrnnumber", "mrnno", "medical record id", "unit record", "empi", "patientennummer", "patientennr", "patienten id",
        "patientnummer", "patiëntnummer", "dossier médical", "dossier medical", "numéro de dossier", "historia clínica",
        "historia clinica", "!nhc", "cartella clinica", "prontuário", "prontuario", "aktennummer", "enterprise patient id",
    ]),
    (Says::Kinds(&[DateOfBirth]), &[
        "dob", "d o b", "date of birth", "dateofbirth", "birth date", "birthdate", "birthday", "bday",
        "born", "birth", "geburtsdatum", "geboren", "geb", "date de naissance", "naissance", "né le",
        "née le", "fecha de nacimiento", "nacimiento", "data di nascita", "nascita", "nato il", "nata il",
        "geboortedatum", "data de nascimento", "nascimento", "data urodzenia", "fødselsdato",
        "fodselsdato", "foedselsdato", "fodelsedatum", "födelsedatum", "syntymäaika", "syntymaaika", "fødselsdag", "nacido", "nacida", "nació", "!ur", "urodzony", "urodzona",
        "b day", "birthdt", "birth dt", "fecha nacimiento", "fecha nac", "fec nac", "data nascita", "data nascimento",
        "date naissance", "syntynyt", "født", "född", "nascido", "nascida", "nato a", "datum narození",
    ]),
    (Says::Kinds(&[AdmissionDate]), &[
        "admission", "admission date", "admit date", "date of admission", "admitted", "admitted on",
        "admitted at", "admit", "admissiondate", "!adm", "adm date", "aufnahmedatum", "hospitalized", "hospitalised",
    ]),
    (Says::Kinds(&[DischargeDate]), &[
        "discharge", "discharge date", "date of discharge", "discharged", "discharged on", "discharged at",
        "dischargedate", "disch date", "dc date", "entlassdatum",
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
        "bankaccount", "beneficiary account", "direct deposit", "current account", "payee account", "kontonummer",
        "kontonr", "numéro de compte", "numero de compte", "número de cuenta", "numero de cuenta", "cuenta bancaria",
        "compte bancaire", "conto corrente", "numero di conto", "rekeningnummer", "bankkonto", "conta bancária",
        "account ending", "bank number", "!a c number", "!account", "!dda", "demand deposit",
    ]),
    (Says::Kinds(&[UsPassport, Passport]), &[
        "passport", "passport number", "travel document", "passportnumber", "passportno", "code ppn",
    ]),
    (Says::Kinds(&[Passport, UsPassport]), &[
        "passeport", "pasaporte", "reisepass", "reisepassnummer", "passnummer", "passaporto", "passaporte",
        "paspoort", "paspoortnummer", "paszport", "paszportu", "passinumero", "uk passport", "british passport",
        "canadian passport", "indian passport", "german passport", "french passport", "eu passport",
        "foreign passport", "spanish passport", "italian passport", "australian passport", "irish passport",
        "chinese passport", "japanese passport", "mexican passport", "brazilian passport", "dutch passport",
    ]),
    (Says::Kinds(&[UsDriverLicense]), &[
        "driver license", "driver license number", "driving license", "driver lic", "driver id",
        "driver permit", "operator license", "dmv", "!dl", "dln", "driverlicense", "driverslicense",
        "license dl", "code dl", "dlnumber", "license number", "drv lic", "driving permit", "dl number", "!cdl", "cdl number", "führerschein",
        "führerscheinnummer", "permis de conduire", "driver license id",
    ]),
    (Says::Kinds(&[LicensePlate]), &[
        "license plate", "plate number", "number plate", "!plate", "registration plate", "vehicle plate",
        "plate", "kennzeichen", "vehicle registration", "vehicle reg", "license tag", "licenseplate",
        "car registration",
    ]),
    (Says::Kinds(&[MedicalLicense]), &[
        "dea", "dea number", "deanumber", "dea registration", "medical license", "physician license", "prescriber",
        "controlled substance", "prescriber id", "prescriber dea",
    ]),
    (Says::Kinds(&[Cvv]), &[
        "cvv", "cvc", "csc", "security code", "card verification", "card code", "!cid", "card security",
        "cvv code", "cvc code", "card verification value", "card verification code", "cryptogramme",
        "cryptogramme visuel", "code on the back", "code on back", "prüfnummer", "kartenprüfnummer", "kartenprüfziffer",
        "!cvn", "card verification number", "verification code on card", "verification code on the card",
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
        "nino", "national insurance", "national insurance number", "ni number", "!ni", "nin", "n i number", "!n i", "nat in number",
    ]),
    (Says::Kinds(&[UkNhs]), &["nhs", "nhs number", "nhs id", "nhsnumber"]),
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
        "french social security", "carte vitale", "assuré social",
    ]),
    (Says::Kinds(&[EsNif, EsNie]), &[
        "dni", "nif", "nie", "documento identidad", "documento de identidad", "documento nacional de identidad", "identificación fiscal", "identificacion fiscal", "identidad de extranjero",
    ]),
    (Says::Kinds(&[ItFiscalCode]), &["codice fiscale", "fiscal code", "!cf"]),
    (Says::Kinds(&[PlPesel]), &["pesel"]),
    (Says::Kinds(&[NlBsn]), &[
        "bsn", "burgerservicenummer", "sofinummer", "citizen service number", "citizen service", "sofi nummer",
    ]),
    (Says::Kinds(&[SePersonnummer, NoFodselsnummer, DkCpr]), &[
        "!pnr", "personnummer", "personnr", "person nummer", "samordningsnummer", "pers number",
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
        "contraseña", "contrasena", "mot de passe", "motdepasse", "!clave", "senha", "wachtwoord", "lösenord", "losenord",
        "hasło", "haslo", "heslo", "jelszó", "passord", "adgangskode", "kodeord", "salasana", "parola d ordine",
        "parola chiave", "palavra passe", "пароль", "şifre", "userpassword", "loginpassword", "password temp", "password tmp",
        "password plaintext", "password cleartext", "password confirmation", "password confirm", "userpass",
        "dbpass", "zugangspasswort", "dbpassword", "passwordvalue", "pgpassword",
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
        "csrf token", "xsrf token", "session key", "token secret", "recovery key", "seed phrase", "storage key",
        "private key value", "secret value", "token value", "clé api", "clave api", "chave api", "clé secrète",
        "clave secreta", "api schlüssel", "geheimer schlüssel", "geheimschlüssel", "jeton", "jeton d accès",
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
