//! The words of an address: how one is read, and which are known.

use crate::text::Text;

/// Longest word of an address in bytes.
const MAX_WORD: usize = 32;

/// A word of letters: where it ends, and whether it starts with a capital.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) capital: bool,
}

/// Reads the word at `at`: letters, hyphens and apostrophes within.
pub(super) fn word(text: &Text<'_>, at: usize) -> Option<Word> {
    let first = text.get(at)?;
    if !is_letter(first) {
        return None;
    }
    let end = text.run(at, MAX_WORD + 1, |b| is_letter(b) || matches!(b, b'\'' | b'-'));
    let trimmed = text.slice(at, end).iter().rposition(|&b| is_letter(b)).map_or(at, |last| at + last + 1);
    let capital = first.is_ascii_uppercase() || first == 0xC3 && text.get(at + 1).is_some_and(|b| b < 0x9F);
    (end - at <= MAX_WORD).then_some(Word { start: at, end: trimmed, capital })
}

/// A byte of a Latin letter.
fn is_letter(b: u8) -> bool {
    b.is_ascii_alphabetic() || b >= 0x80 && !matches!(b, 0xE0..)
}

/// Whether the word is one of a list, whatever its case in ASCII.
pub(super) fn is_one_of(text: &Text<'_>, word: Word, list: &[&str]) -> bool {
    let found = text.slice(word.start, word.end);
    list.iter().any(|known| found.eq_ignore_ascii_case(known.as_bytes()))
}

/// Behind a full stop that ends an abbreviation.
pub(super) fn skip_stop(text: &Text<'_>, at: usize) -> usize {
    if text.get(at) == Some(b'.') { at + 1 } else { at }
}

/// Behind the one space at `at`.
pub(super) fn space(text: &Text<'_>, at: usize) -> Option<usize> {
    match text.get(at)? {
        b' ' => Some(at + 1),
        0xC2 if text.get(at + 1)? == 0xA0 => Some(at + 2),
        _ => None,
    }
}

/// Behind what separates the lines of an address: a comma, a line break, also one that is written out.
pub(super) fn gap(text: &Text<'_>, at: usize) -> Option<usize> {
    let mut end = at;
    if text.get(end) == Some(b',') {
        end += 1;
    }
    let line = match text.get(end) {
        Some(b'\n') => 1,
        Some(b'\r') if text.get(end + 1) == Some(b'\n') => 2,
        Some(b'\\') if text.get(end + 1) == Some(b'n') => 2,
        _ => 0,
    };
    end += line;
    if let Some(behind) = space(text, end) {
        end = behind;
    }
    (end > at).then_some(end)
}

/// Whether neither letter nor digit stands at `at`.
pub(super) fn ends(text: &Text<'_>, at: usize) -> bool {
    !text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || (0xC3..=0xDF).contains(&b))
}

/// The digits at `at`, between `least` and `most` of them: where they end.
pub(super) fn digits(text: &Text<'_>, at: usize, least: usize, most: usize) -> Option<usize> {
    let end = text.run(at, most + 1, |b| b.is_ascii_digit());
    (least..=most).contains(&(end - at)).then_some(end)
}

/// `N`, `SW`, `East`.
pub(super) const DIRECTIONS: [&str; 16] = [
    "N",
    "S",
    "E",
    "W",
    "NE",
    "NW",
    "SE",
    "SW",
    "North",
    "South",
    "East",
    "West",
    "Northeast",
    "Northwest",
    "Southeast",
    "Southwest",
];

/// What ends the name of a street and hardly anything else.
pub(super) const STREETS: [&str; 30] = [
    "Street",
    "St",
    "Avenue",
    "Ave",
    "Av",
    "Road",
    "Rd",
    "Boulevard",
    "Blvd",
    "Lane",
    "Ln",
    "Parkway",
    "Pkwy",
    "Highway",
    "Hwy",
    "Drive",
    "Dr",
    "Court",
    "Ct",
    "Terrace",
    "Ter",
    "Crescent",
    "Cres",
    "Expressway",
    "Expy",
    "Turnpike",
    "Tpke",
    "Freeway",
    "Causeway",
    "Byway",
];

/// What ends the name of a street, and of much else.
pub(super) const PLACES: [&str; 47] = [
    "Way",
    "Place",
    "Pl",
    "Circle",
    "Cir",
    "Square",
    "Sq",
    "Trail",
    "Trl",
    "Loop",
    "Run",
    "Pass",
    "Path",
    "Walk",
    "Row",
    "Alley",
    "Plaza",
    "Point",
    "Close",
    "Grove",
    "Gardens",
    "Gdns",
    "Green",
    "Hill",
    "View",
    "Rise",
    "Parade",
    "Pde",
    "Esplanade",
    "Quay",
    "Wharf",
    "Vale",
    "Gate",
    "Heights",
    "Cove",
    "Ridge",
    "Mews",
    "Crossing",
    "Hollow",
    "Landing",
    "Meadow",
    "Mount",
    "Orchard",
    "Park",
    "Villas",
    "Yard",
    "Broadway",
];

/// French kinds of streets, which stand before the name.
pub(super) const RUES: [&str; 15] = [
    "rue",
    "avenue",
    "av",
    "boulevard",
    "bd",
    "place",
    "all\u{e9}e",
    "allee",
    "impasse",
    "chemin",
    "quai",
    "cours",
    "route",
    "passage",
    "square",
];

/// Spanish, Italian, Portuguese and Polish kinds of streets.
pub(super) const CALLES: [&str; 34] = [
    "Pasaje",
    "Alameda",
    "Rambla",
    "Glorieta",
    "Callej\u{f3}n",
    "Rodovia",
    "Ladeira",
    "Estrada",
    "Viela",
    "Borgo",
    "Contrada",
    "Piazzetta",
    "Lungomare",
    "Salita",
    "aleja",
    "al",
    "Calle",
    "Avenida",
    "Avda",
    "Paseo",
    "Carrer",
    "Carretera",
    "Ronda",
    "Viale",
    "Corso",
    "Piazza",
    "Piazzale",
    "Vicolo",
    "Rua",
    "Travessa",
    "Pra\u{e7}a",
    "ulica",
    "ul",
    "Traves\u{ed}a",
];

/// The same, where the word means other things as well.
pub(super) const VIAS: [&str; 9] = ["os", "pl", "Via", "Plaza", "Camino", "Largo", "Strada", "Av", "Rue"];

/// Small words within names of streets and cities.
pub(super) const SMALL: [&str; 36] = [
    "de", "la", "las", "los", "del", "du", "des", "le", "les", "l", "d", "di", "dei", "della", "delle",
    "degli", "do", "da", "dos", "das", "y", "e", "of", "the", "am", "im", "an", "der", "den", "upon", "on",
    "sur", "en", "van", "von", "sous",
];

/// Endings of German, Dutch and Nordic streets in one word.
pub(super) const ENDINGS: [&str; 25] = [
    "dreef",
    "steeg",
    "plantsoen",
    "stra\u{df}e",
    "strasse",
    "str",
    "straat",
    "gasse",
    "allee",
    "platz",
    "weg",
    "gracht",
    "plein",
    "laan",
    "gatan",
    "v\u{e4}gen",
    "gata",
    "vej",
    "veien",
    "vegen",
    "gade",
    "katu",
    "steig",
    "chaussee",
    "promenade",
];

/// The same, where words of other languages end so too.
pub(super) const WEAK_ENDINGS: [&str; 12] =
    ["tie", "ring", "damm", "ufer", "kade", "singel", "dijk", "gate", "markt", "hof", "berg", "graben"];

/// The kind of street as a word of its own.
pub(super) const GERMANIC: [&str; 12] = [
    "Stra\u{df}e",
    "Strasse",
    "Str",
    "Allee",
    "Platz",
    "Weg",
    "Ring",
    "Damm",
    "gate",
    "gata",
    "vei",
    "v\u{e4}g",
];

/// `Am Rosengarten`.
pub(super) const PREPOSITIONS: [&str; 7] = ["Am", "An", "Auf", "Im", "In", "Zum", "Zur"];

/// Flats and floors.
pub(super) const UNITS: [&str; 19] = [
    "Apt",
    "Apartment",
    "Suite",
    "Ste",
    "Unit",
    "Floor",
    "Fl",
    "Flat",
    "Room",
    "Rm",
    "Building",
    "Bldg",
    "Lot",
    "Level",
    "Dept",
    "Box",
    "Trailer",
    "Whg",
    "int",
];

/// States of the USA, provinces of Canada, states of Australia, by their letters.
pub(super) const STATES: [&str; 76] = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY",
    "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND",
    "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC",
    "PR", "AB", "BC", "MB", "NB", "NL", "NS", "ON", "PE", "QC", "SK", "NT", "NU", "YT", "NSW", "VIC", "QLD",
    "SA", "TAS", "ACT", "GU", "VI", "AA", "AE", "AP",
];

/// States by name; of those with two words, the first.
pub(super) const STATE_NAMES: [&str; 62] = [
    "Alabama",
    "Alaska",
    "Arizona",
    "Arkansas",
    "California",
    "Colorado",
    "Connecticut",
    "Delaware",
    "Florida",
    "Georgia",
    "Hawaii",
    "Idaho",
    "Illinois",
    "Indiana",
    "Iowa",
    "Kansas",
    "Kentucky",
    "Louisiana",
    "Maine",
    "Maryland",
    "Massachusetts",
    "Michigan",
    "Minnesota",
    "Mississippi",
    "Missouri",
    "Montana",
    "Nebraska",
    "Nevada",
    "New Hampshire",
    "New Jersey",
    "New Mexico",
    "New York",
    "North Carolina",
    "North Dakota",
    "Ohio",
    "Oklahoma",
    "Oregon",
    "Pennsylvania",
    "Rhode Island",
    "South Carolina",
    "South Dakota",
    "Tennessee",
    "Texas",
    "Utah",
    "Vermont",
    "Virginia",
    "Washington",
    "West Virginia",
    "Wisconsin",
    "Wyoming",
    "Ontario",
    "Quebec",
    "Alberta",
    "Manitoba",
    "Saskatchewan",
    "British Columbia",
    "Nova Scotia",
    "New Brunswick",
    "Victoria",
    "Queensland",
    "Tasmania",
    "New South Wales",
];

/// Countries, as the last line has them.
pub(super) const COUNTRIES: [&str; 35] = [
    "USA",
    "US",
    "U.S.A.",
    "United States of America",
    "United States",
    "United Kingdom",
    "UK",
    "England",
    "Scotland",
    "Wales",
    "Northern Ireland",
    "Ireland",
    "Canada",
    "Australia",
    "New Zealand",
    "Germany",
    "Deutschland",
    "France",
    "Spain",
    "Espa\u{f1}a",
    "Italy",
    "Italia",
    "Netherlands",
    "The Netherlands",
    "Nederland",
    "Austria",
    "\u{d6}sterreich",
    "Switzerland",
    "Schweiz",
    "Sweden",
    "Sverige",
    "Norway",
    "Denmark",
    "Finland",
    "Belgium",
];

/// Words after which a number is none of a house.
pub(super) const COUNTED: [&str; 46] = [
    "step",
    "chapter",
    "section",
    "version",
    "top",
    "gate",
    "route",
    "lot",
    "form",
    "error",
    "sprint",
    "issue",
    "level",
    "page",
    "part",
    "day",
    "week",
    "episode",
    "phase",
    "tier",
    "class",
    "figure",
    "table",
    "appendix",
    "act",
    "scene",
    "season",
    "area",
    "zone",
    "windows",
    "apollo",
    "model",
    "series",
    "rule",
    "item",
    "article",
    "line",
    "task",
    "ticket",
    "order",
    "exit",
    "highway",
    "interstate",
    "number",
    "server",
    "channel",
];

/// Small words that can follow an address in a sentence.
pub(super) const FOLLOWERS: [&str; 30] = [
    "and", "in", "for", "on", "is", "was", "at", "near", "to", "the", "since", "with", "or", "by", "from",
    "until", "before", "after", "as", "but", "has", "had", "this", "that", "because", "today", "tomorrow",
    "again", "about", "please",
];
