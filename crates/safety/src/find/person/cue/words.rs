//! The words that stand before names, and those that stand before what only looks like one.

use std::sync::LazyLock;

use crate::sieve::Words;

/// What a word before a name may say; several things at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sense(u32);

impl Sense {
    /// Forms of address.
    pub(super) const TITLE: Self = Self(1 << 0);
    /// What a letter begins with.
    pub(super) const GREETING: Self = Self(1 << 1);
    /// `my name is`
    pub(super) const IS: Self = Self(1 << 2);
    pub(super) const NAME: Self = Self(1 << 3);
    pub(super) const THIS: Self = Self(1 << 4);
    /// `ich heiße`, `me llamo`.
    pub(super) const INTRODUCES: Self = Self(1 << 5);
    /// Who introduces somebody so.
    pub(super) const SELF: Self = Self(1 << 6);
    /// Both in one word.
    pub(super) const I_AM: Self = Self(1 << 7);
    pub(super) const I: Self = Self(1 << 8);
    pub(super) const AM: Self = Self(1 << 9);
    /// Somebody follows, or a firm.
    pub(super) const WHOM: Self = Self(1 << 10);
    pub(super) const WITH: Self = Self(1 << 11);
    /// Before `with`.
    pub(super) const MET: Self = Self(1 << 12);
    pub(super) const TO: Self = Self(1 << 13);
    /// Before `to`.
    pub(super) const TOLD: Self = Self(1 << 14);
    /// `on behalf of`
    pub(super) const ON: Self = Self(1 << 15);
    pub(super) const BEHALF: Self = Self(1 << 16);
    pub(super) const OF: Self = Self(1 << 17);
    /// People or firms that a name may stand right behind.
    pub(super) const PARTY: Self = Self(1 << 18);
    /// Words for a part of a name that are also other words.
    pub(super) const PART: Self = Self(1 << 19);
    /// Words before something with capitals that is no person.
    pub(super) const AGAINST: Self = Self(1 << 20);

    pub(super) fn is(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The longest of the words in bytes.
const LONGEST: usize = 12;

/// The words in small letters.
const WORDS: [(Sense, &str); 21] = [
    (
        Sense::TITLE,
        "mr mrs ms miss mx dr prof professor doctor sir dame rev herr herrn frau mme mlle monsieur \
         madame sr sra srta señor señora senor senora sig sig.ra signor signora dott mevrouw meneer",
    ),
    (
        Sense::GREETING,
        "dear hi hello hey hallo hola bonjour liebe lieber cher chère caro cara estimado estimada \
         querido querida beste hei hej ciao salut prezado prezada gentile greetings",
    ),
    (Sense::IS, "is ist es est è é"),
    (Sense::NAME, "name nombre nom nome"),
    (Sense::THIS, "this"),
    (Sense::INTRODUCES, "heiße heisse llamo appelle chiamo heet"),
    (Sense::SELF, "ich me je mi ik"),
    (Sense::I_AM, "i'm im i’m m'appelle"),
    (Sense::I, "i"),
    (Sense::AM, "am"),
    (Sense::WHOM, "by attn attn: c/o cc signed tell told ask asked remind reminded"),
    (Sense::WITH, "with"),
    (
        Sense::MET,
        "met spoke spoken talked worked meeting call interview chat chatted appointment lunch sync \
         speak talk meet works discussed coordinate married",
    ),
    (Sense::TO, "to"),
    (
        Sense::TOLD,
        "assigned reminder letter spoke talk talked speak email write reply wrote sent invoice bill \
         ship reassigned escalated reports report addressed message refund forwarded married belongs \
         note",
    ),
    (Sense::ON, "on"),
    (Sense::BEHALF, "behalf"),
    (Sense::OF, "of"),
    (Sense::PARTY, "customer client contact tenant owner agent user"),
    (Sense::PART, "given family"),
    (
        Sense::AGAINST,
        "the lake mount mt mt. fort ft. port saint st. st san santa santo são los las el la le new \
         north south east west university hotel hospital bank cape camp church school college team an \
         a institute foundation prize",
    ),
];

static TABLE: LazyLock<Words<Sense>> = LazyLock::new(|| Words::of(&WORDS, Sense::with));

/// What the word may say, whatever its case in ASCII.
pub(super) fn of(word: &[u8]) -> Sense {
    TABLE.get_in_any_case::<LONGEST>(word)
}

/// Loads the table.
pub(in crate::find::person) fn warm_up() {
    LazyLock::force(&TABLE);
}
