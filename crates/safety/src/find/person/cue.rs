//! What stands before a name and says that one follows: a label, a form of address, a closing line.

mod words;

use self::words::Sense;
pub(super) use self::words::warm_up;
use super::label::{self, LABEL_BYTES, Subject};
use crate::Entity;
use crate::text::Text;

/// What the text before a place says about a name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    None,
    /// Something that makes a name less likely: `the`, `Lake`, `University of`.
    Against,
    /// `met with`: somebody, or a firm.
    Soft,
    /// The comma behind another name.
    List,
    /// `my name is`.
    Firm,
    /// `Mr.`
    Title,
    /// `Dear`
    Greeting,
    /// A line after `Best regards,`.
    Signature,
    /// A key or label.
    Label(Subject),
}

/// What the label right before `at` says, if there is one: costs little where there is none.
pub(crate) fn label_before(text: &Text<'_>, at: usize) -> Subject {
    let above = text.subject(at);
    if at == 0 || above != Subject::Nothing {
        return above;
    }
    let back = |n| text.before(at, n);
    let separated = |b: Option<u8>| matches!(b, Some(b':' | b'=' | b'>' | b'|'));
    let quoted = matches!(back(1), Some(b'"' | b'\'' | b'`' | b'*' | b'[' | b'('));
    if !(quoted
        || separated(back(1))
        || back(1) == Some(b' ') && (separated(back(2)) || back(2) == Some(b'*')))
    {
        return Subject::Nothing;
    }
    let behind = value_start(text.near(at));
    if matches!(behind.last(), Some(b':' | b'=' | b'>' | b'|')) { labelled(behind) } else { Subject::Nothing }
}

/// The bytes before the quotes and spaces in front of a value.
fn value_start(near: &[u8]) -> &[u8] {
    let behind = trim(near, |b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'*' | b'[' | b'('));
    // The backslash of an escaped quote, but not of a line break.
    let behind = if near.len() > behind.len() { trim(behind, |b| b == b'\\') } else { behind };
    trim(behind, |b| matches!(b, b' ' | b'*' | b'['))
}

/// Reads what stands before `at`.
pub(super) fn before(text: &Text<'_>, at: usize) -> Cue {
    let above = text.subject(at);
    if above != Subject::Nothing {
        return Cue::Label(above);
    }
    if text.continues_list(at, Entity::Person) {
        return Cue::List;
    }
    let near = text.near(at);
    let behind = value_start(near);
    match behind.last() {
        None => Cue::None,
        Some(b'\n') => closing(behind),
        Some(b'n') if behind.ends_with(b"\\n") => closing(behind),
        Some(b':' | b'=' | b'>' | b'|') => match labelled(behind) {
            Subject::Nothing | Subject::Address => Cue::None,
            said => Cue::Label(said),
        },
        Some(b',') if thanks(behind) => Cue::Soft,
        Some(_) if spaced(near) => words(behind),
        Some(_) => Cue::None,
    }
}

fn trim(bytes: &[u8], unwanted: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().rposition(|&b| !unwanted(b)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// `"customer_name": "`, `Patient: `, `<fullName>`, `| Name | `.
fn labelled(behind: &[u8]) -> Subject {
    let tag = behind.ends_with(b">");
    let label = trim(behind, |b| {
        matches!(b, b':' | b'=' | b'>' | b'|' | b' ' | b'"' | b'\'' | b'`' | b'*' | b'\\' | b']')
    });
    let start = label
        .iter()
        .rposition(|&b| {
            !(b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-' | b'.' | b'/') || b >= 0x80)
        })
        .map_or(0, |last| last + 1);
    let label = label.get(start.max(label.len().saturating_sub(LABEL_BYTES))..).unwrap_or_default();
    // A closing tag, or a placeholder that an earlier redaction left.
    let says_nothing = tag
        && (label.starts_with(b"/")
            || label.iter().any(u8::is_ascii_uppercase) && !label.iter().any(u8::is_ascii_lowercase));
    match label::read(label) {
        _ if says_nothing => Subject::Nothing,
        // `Name:` in a form, where a key would be `name`.
        Subject::Name if label.trim_ascii() == b"Name" && behind.ends_with(b":") => Subject::FullName,
        subject => subject,
    }
}

/// Whether the line before is one that a signature follows.
fn closing(behind: &[u8]) -> Cue {
    const CLOSINGS: [&[u8]; 38] = [
        b"regards",
        b"sincerely",
        b"sincerely yours",
        b"yours sincerely",
        b"yours truly",
        b"yours faithfully",
        b"yours",
        b"thanks",
        b"thank you",
        b"many thanks",
        b"thanks again",
        b"thanks and regards",
        b"thank you and regards",
        b"cheers",
        b"best",
        b"all the best",
        b"best wishes",
        b"warmly",
        b"respectfully",
        b"cordially",
        b"take care",
        b"love",
        b"talk soon",
        b"see you",
        b"/s/",
        b"signed",
        b"cordialement",
        b"bien cordialement",
        b"saludos",
        b"un saludo",
        b"atentamente",
        b"cordiali saluti",
        b"distinti saluti",
        b"liebe gr\xC3\xBC\xC3\x9Fe",
        b"viele gr\xC3\xBC\xC3\x9Fe",
        b"mit freundlichen gr\xC3\xBC\xC3\x9Fen",
        b"met vriendelijke groet",
        b"atenciosamente",
    ];
    let mut line = behind;
    loop {
        let trimmed = trim(line, |b| matches!(b, b'\n' | b'\r' | b' ' | b'\t' | b',' | b'.' | b'!' | b'-'));
        let trimmed =
            trimmed.strip_suffix(b"\\n").or_else(|| trimmed.strip_suffix(b"\\r")).unwrap_or(trimmed);
        if trimmed.len() == line.len() {
            break;
        }
        line = trimmed;
    }
    let start = line.iter().rposition(|&b| b == b'\n').map_or(0, |last| last + 1);
    let start = line.windows(2).rposition(|pair| pair == b"\\n").map_or(start, |last| start.max(last + 2));
    // `"text":"Best,\n`
    let start = line.iter().rposition(|&b| b == b'"').map_or(start, |last| start.max(last + 1));
    let line = line.get(start..).unwrap_or_default().trim_ascii();
    // `Best regards`, `Kind regards`, `With warm regards`.
    let regards = line.len() <= 24 && (line.ends_with(b" regards") || line.ends_with(b" Regards"));
    let closes = regards || CLOSINGS.iter().any(|known| line.eq_ignore_ascii_case(known));
    if closes { Cue::Signature } else { Cue::None }
}

/// Whether a space stands before the value and its quotes.
fn spaced(near: &[u8]) -> bool {
    trim(near, |b| matches!(b, b'"' | b'\'' | b'`' | b'*' | b'(')).last() == Some(&b' ')
}

/// `Thank you, Anna`
fn thanks(behind: &[u8]) -> bool {
    let words = trim(behind, |b| b == b',');
    let ends = |known: &[u8]| {
        words.len() >= known.len()
            && words.get(words.len() - known.len()..).is_some_and(|tail| tail.eq_ignore_ascii_case(known))
    };
    [
        &b"thanks"[..],
        b"thank you",
        b"sorry",
        b"morning",
        b"afternoon",
        b"evening",
        b"welcome",
        b"welcome back",
    ]
    .into_iter()
    .any(ends)
}

/// What the one to three words before say.
fn words(behind: &[u8]) -> Cue {
    let mut parts = behind.rsplit(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let mut next = || parts.next().unwrap_or_default();
    let (last, previous, third) = (next(), next(), next());
    // `"content":"Patient Anna`: a sentence begins behind a quote.
    let opening = last.iter().rposition(|b| matches!(b, b'"' | b'`' | b'>' | b'{' | b'[' | b'('));
    let (last, previous, third) = match opening {
        Some(quote) if quote + 1 < last.len() => {
            (last.get(quote + 1..).unwrap_or_default(), &b""[..], &b""[..])
        }
        _ => (last, previous, third),
    };
    let bare = last.strip_suffix(b".").unwrap_or(last);
    let (said, before) = (words::of(last), words::of(previous));
    // `Ms`, but neither `MS` nor `ms`.
    let written = bare.first().is_some_and(u8::is_ascii_uppercase)
        && bare.last().is_some_and(|b| !b.is_ascii_uppercase());
    let spelled_out = bare.len() > MAX_SHORT_TITLE && bare.first().is_some_and(u8::is_ascii_lowercase);
    if (written || spelled_out) && words::of(bare).is(Sense::TITLE) {
        return Cue::Title;
    }
    if said.is(Sense::GREETING) {
        return Cue::Greeting;
    }
    if said.is(Sense::IS) {
        return match () {
            () if before.is(Sense::NAME) => Cue::Firm,
            () if before.is(Sense::THIS) => Cue::Soft,
            () => Cue::None,
        };
    }
    if said.is(Sense::INTRODUCES) && before.is(Sense::SELF)
        || said.is(Sense::AM) && before.is(Sense::I)
        || said.is(Sense::I_AM)
    {
        return Cue::Firm;
    }
    let soft = said.is(Sense::WHOM)
        || said.is(Sense::WITH) && before.is(Sense::MET)
        || said.is(Sense::TO) && before.is(Sense::TOLD)
        || said.is(Sense::OF) && before.is(Sense::BEHALF) && words::of(third).is(Sense::ON);
    if soft {
        return Cue::Soft;
    }
    match label::read(last) {
        Subject::FullName => Cue::Firm,
        Subject::Role if said.is(Sense::PARTY) => Cue::Soft,
        Subject::Name => {
            match label::read(behind.get(behind.len().saturating_sub(LABEL_BYTES)..).unwrap_or_default()) {
                Subject::FullName => Cue::Firm,
                _ => Cue::Soft,
            }
        }
        Subject::NamePart if !said.is(Sense::PART) => Cue::Firm,
        _ if said.is(Sense::AGAINST) => Cue::Against,
        _ => Cue::None,
    }
}

/// Longer titles are words, also in small letters.
const MAX_SHORT_TITLE: usize = 5;
