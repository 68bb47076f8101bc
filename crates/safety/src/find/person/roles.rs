//! The words that labels are made of, and what part each has in them.

use std::sync::LazyLock;

use crate::sieve::Words;

/// The parts that a word can have; several at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles(u16);

impl Roles {
    /// Words for a name as such.
    pub(super) const NAME: Self = Self(1 << 0);
    /// Before `name`: a part of one.
    pub(super) const BEFORE_PART: Self = Self(1 << 1);
    /// A part of a name in one word.
    pub(super) const PART: Self = Self(1 << 2);
    /// Before `name`: all of it, and a person's.
    pub(super) const WHOLE: Self = Self(1 << 3);
    /// People and nobody else.
    pub(super) const PERSON: Self = Self(1 << 4);
    /// People or firms.
    pub(super) const PARTY: Self = Self(1 << 5);
    /// Before `name` or a person: what is meant is a thing.
    pub(super) const THING: Self = Self(1 << 6);
    /// `approved by`.
    pub(super) const ACT: Self = Self(1 << 7);
    /// `bill to`.
    pub(super) const SENT: Self = Self(1 << 8);
    /// Where somebody lives.
    pub(super) const ADDRESS: Self = Self(1 << 9);
    /// Before `address`: where a machine or an account is.
    pub(super) const NETWORK: Self = Self(1 << 10);

    pub(super) fn is(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

const WORDS: [(Roles, &str); 11] = [
    (Roles::NAME, "naam namn navn nazwisko nimi nom nombre nome"),
    (Roles::BEFORE_PART, "family first fore given last maiden middle nick sur vor"),
    (
        Roles::PART,
        "achternaam apellido apellidos cognome efternamn etternavn etunimi familienname family \
         firstname fornamn fornavn given imie nachname prenom sukunimi voornaam vorname",
    ),
    (Roles::WHOLE, "complete full individual legal people person preferred real"),
    (
        Roles::PERSON,
        "accountholder addressee applicant approver assignee attendee attending attn attorney author \
         beneficiary caller candidate cardholder caregiver child claimant colleague daughter \
         defendant dentist doctor driver empleado employee father guarantor guardian guest husband \
         insured interviewee interviewer kin lawyer manager member mitarbeiter mother nurse paciente \
         parent participant passenger patient patientin physician plaintiff prescriber radiologist \
         recipient reporter requester requestor resident reviewer salesperson signatory signer son \
         speaker spouse student subscriber supervisor surgeon teacher therapist traveler traveller \
         wife witness",
    ),
    (
        Roles::PARTY,
        "admin agent bcc borrower buyer cc client cliente consultant contact creditor customer \
         debitor debtor donor from holder host klant kunde landlord lead organiser organizer owner \
         payee payer provider rep representative seller sender submitter tenant to user",
    ),
    (
        Roles::THING,
        "app application bank branch brand bucket business campaign category channel city class \
         cluster code column company container country course database db department device document \
         domain drug event field file folder font function group hospital host hotel image index item \
         job key label list log medication menu method model module node org organisation \
         organization package page path plan pod policy product project queue region repo report \
         repository role rule schema school screen secret server service short sku space state table \
         tag task team template test theme tool topic type user var variable",
    ),
    (
        Roles::ACT,
        "approved assigned authored booked called completed created issued modified ordered prepared \
         prescribed reported requested reviewed seen sent signed submitted updated verified written",
    ),
    (Roles::SENT, "assigned bill billed deliver invoice ship shipped sold"),
    (
        Roles::ADDRESS,
        "addr address addresses adres adress adresse anschrift direccion domicilio endereco \
         homeaddress indirizzo postanschrift residence strasse street streetaddress",
    ),
    (
        Roles::NETWORK,
        "base bind bitcoin broadcast btc contract crypto deposit destination e email eth ethereum \
         host http ip ipv listen mac mail memory network node payout peer port remote server site \
         source token url wallet web",
    ),
];

static TABLE: LazyLock<Words<Roles>> = LazyLock::new(|| Words::of(&WORDS, Roles::with));

/// The parts that a word in small letters has.
pub(super) fn of(word: &[u8]) -> Roles {
    TABLE.get(word)
}

/// Loads the table.
pub(super) fn warm_up() {
    LazyLock::force(&TABLE);
}
