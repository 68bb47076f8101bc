//! What a key or a label says about the value behind it: that it names somebody, or where somebody lives.

use super::roles::{self, Roles};

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
    if !may_say(last_word(label).as_slice()) {
        return Subject::Nothing;
    }
    let words = Words::of(label);
    let Some((last, before)) = words.as_slice().split_last() else { return Subject::Nothing };
    let last = last.as_slice();
    let said = roles::of(last);
    let previous = before.last().map(|word| roles::of(word.as_slice())).unwrap_or_default();
    let all = before.iter().fold(Roles::default(), |all, word| all.with(roles::of(word.as_slice())));
    if let Some(glued) = last.strip_suffix(b"name").or_else(|| last.strip_suffix(b"names")) {
        return of_name(all, if glued.is_empty() { previous } else { roles::of(glued) });
    }
    if said.is(Roles::NAME) {
        return of_name(all, previous);
    }
    // `address_line_1`
    if said.is(Roles::ADDRESS) || last == b"line" && previous.is(Roles::ADDRESS) {
        return if all.is(Roles::NETWORK) { Subject::Nothing } else { Subject::Address };
    }
    if last == b"by" && previous.is(Roles::ACT) || last == b"to" && previous.is(Roles::SENT) {
        return Subject::FullName;
    }
    if all.is(Roles::THING) {
        return Subject::Nothing;
    }
    // `attendees`
    let one = last.strip_suffix(b"s").map(roles::of).unwrap_or_default();
    match () {
        () if said.is(Roles::PART) => Subject::NamePart,
        () if said.is(Roles::PERSON) || one.is(Roles::PERSON) => Subject::FullName,
        () if said.is(Roles::PARTY) => Subject::Role,
        () => Subject::Nothing,
    }
}

/// Whether a label that ends with this word says anything, whatever stands before it: most do not.
fn may_say(last: &[u8]) -> bool {
    let any = |word: &[u8]| roles::of(word) != Roles::default();
    any(last)
        || last.strip_suffix(b"s").is_some_and(any)
        || [&b"name"[..], b"names", b"line", b"by"].iter().any(|end| last.ends_with(end))
}

/// `name` behind other words: `customer_name`, `product_name`.
fn of_name(all: Roles, previous: Roles) -> Subject {
    let whose = Roles::PERSON.with(Roles::PARTY).with(Roles::WHOLE);
    match () {
        () if all.with(previous).is(Roles::THING) => Subject::Nothing,
        () if previous.is(Roles::BEFORE_PART) => Subject::NamePart,
        () if all.with(previous).is(whose) => Subject::FullName,
        () => Subject::Name,
    }
}

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

/// The end of a label that is read.
fn kept(label: &[u8]) -> &[u8] {
    label.get(label.len().saturating_sub(LABEL_BYTES)..).unwrap_or_default()
}

/// Whether a word starts with the letter at `at`: behind none, or at a hump.
fn starts_word(label: &[u8], at: usize) -> bool {
    let (previous, next) = (at.checked_sub(1).and_then(|before| label.get(before)), label.get(at + 1));
    let hump = |previous: &u8| {
        previous.is_ascii_lowercase()
            || previous.is_ascii_uppercase() && next.is_some_and(u8::is_ascii_lowercase)
    };
    match previous.filter(|previous| previous.is_ascii_alphabetic()) {
        Some(previous) => label.get(at).is_some_and(u8::is_ascii_uppercase) && hump(previous),
        None => true,
    }
}

/// The last word of a label in small letters.
fn last_word(label: &[u8]) -> Word {
    let label = kept(label);
    let mut word = Word::default();
    let Some(last) = label.iter().rposition(u8::is_ascii_alphabetic) else { return word };
    // Small letters have no hump among them.
    let small =
        label.get(..=last).unwrap_or_default().iter().rev().take_while(|b| b.is_ascii_lowercase()).count();
    let mut start = (last + 1 - small).min(last);
    while !starts_word(label, start) {
        start -= 1;
    }
    label.get(start..=last).unwrap_or_default().iter().for_each(|&b| word.push(b));
    word
}

impl Words {
    fn of(label: &[u8]) -> Self {
        let mut words = Self { items: [Word::default(); MAX_WORDS], count: 0 };
        let label = kept(label);
        for (at, &b) in label.iter().enumerate() {
            if b.is_ascii_alphabetic() {
                if starts_word(label, at) {
                    words.open();
                }
                if let Some(word) = words.count.checked_sub(1).and_then(|last| words.items.get_mut(last)) {
                    word.push(b);
                }
            }
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
