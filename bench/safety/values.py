"""Values of every kind, valid by the public rules of their identifier and drawn at random: nobody's.

Where a regulator reserves numbers for fiction (telephone numbers of the US, the UK, Germany and Australia, the address
blocks of RFC 5737 and RFC 3849) they are drawn from there. `make(random, type)` returns one value; a `.form` behind the
type chooses how it is written.
"""

import base64
import hashlib
import json
import string
import zlib

import digits
import people

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"


def take(r, alphabet, count):
    return "".join(r.choice(alphabet) for _ in range(count))


def number(r, count, first="0123456789"):
    return r.choice(first) + take(r, string.digits, count - 1)


def grouped(text, sizes, mark):
    out, at = [], 0
    for size in sizes:
        out.append(text[at : at + size])
        at += size
    return mark.join(part for part in out + [text[at:]] if part)


# ---- payment

NETWORKS = [
    (("4",), (16, 16, 16, 13, 19)),
    (("51", "52", "53", "54", "55"), (16,)),
    (("2221", "2300", "2456", "2599", "2700", "2720"), (16,)),
    (("34", "37"), (15,)),
    (("300", "301", "305", "36", "38"), (14,)),
    (("6011", "644", "65"), (16,)),
    (("3528", "3540", "3589"), (16,)),
    (("62",), (16, 17, 18, 19)),
]


def card(r, form=None):
    prefixes, lengths = r.choice(NETWORKS)
    length = r.choice(lengths)
    prefix = r.choice(prefixes)
    body = prefix + take(r, string.digits, length - 1 - len(prefix))
    pan = body + digits.luhn(body)
    mark = {"plain": "", "space": " ", "dash": "-"}[form or r.choice(["plain", "plain", "space", "dash"])]
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(length, (4, 4, 4, 4))
    return grouped(pan, sizes, mark) if mark else pan


def cvv(r, form=None):
    return number(r, r.choice([3, 3, 3, 4]))


def expiry(r, form=None):
    month, year = r.randint(1, 12), r.randint(26, 34)
    return r.choice([f"{month:02}/{year}", f"{month:02}/20{year}", f"{month:02}-{year}"])


# BBAN structure per country, from the SWIFT registry: n digits, a letters, c either.
BBAN = {
    "DE": "n18", "GB": "a4n14", "FR": "n10c11n2", "ES": "n20", "IT": "a1n10c12", "NL": "a4n10", "BE": "n12", "AT": "n16",
    "CH": "n5c12", "PL": "n24", "SE": "n20", "NO": "n11", "DK": "n14", "FI": "n14", "IE": "a4n14", "PT": "n21",
    "LU": "n3c13", "CZ": "n20", "SA": "n2c18", "AE": "n19", "BR": "n23a1c1", "MT": "a4n5c18",
}


def iban(r, form=None):
    country = r.choice(sorted(BBAN))
    bban, kind, count = "", "", ""
    for char in BBAN[country] + "n":
        if char in "nac":
            if kind:
                bban += take(r, {"n": string.digits, "a": string.ascii_uppercase, "c": UPPER}[kind], int(count))
            kind, count = char, ""
        else:
            count += char
    whole = country + f"{98 - digits.mod97(bban + country + '00'):02}" + bban
    return grouped(whole, (4,) * 8, " ") if (form or r.choice(["plain", "space"])) == "space" else whole


def aba(r, form=None):
    head = f"{r.choice(list(range(1, 13)) + list(range(21, 33))):02}" + take(r, string.digits, 6)
    check = -digits.weighted(head, (3, 7, 1, 3, 7, 1, 3, 7)) % 10
    return head + str(check)


def bank(r, form=None):
    return number(r, r.randint(8, 14), "123456789")


def swift(r, form=None):
    bank_code = take(r, string.ascii_uppercase, 4)
    return bank_code + r.choice(["DE", "GB", "FR", "NL", "US", "CH"]) + take(r, "23456789ABCDEFGHJKLM", 2) + r.choice(["", "XXX"])


def crypto(r, form=None):
    form = form or r.choice(["p2pkh", "p2sh", "bech32", "taproot", "eth", "ethlower"])
    if form in ("p2pkh", "p2sh"):
        payload = (b"\x00" if form == "p2pkh" else b"\x05") + r.randbytes(20)
        return digits.base58(payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4])
    if form == "bech32":
        return digits.bech32("bc", 0, r.randbytes(20))
    if form == "taproot":
        return digits.bech32("bc", 1, r.randbytes(32))
    plain = r.randbytes(20).hex()
    if form == "ethlower":
        return "0x" + plain
    mask = digits.keccak256(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(m, 16) > 7 else c for c, m in zip(plain, mask))


# ---- personal


def ssn(r, form=None):
    area = r.choice([a for a in range(1, 900) if a != 666])
    group, serial = r.randint(1, 99), r.randint(1, 9999)
    if form == "number":  # As a JSON number, which cannot start with 0.
        area, form = r.choice([a for a in range(100, 900) if a != 666]), "plain"
    mark = {"dash": "-", "space": " ", "dot": ".", "plain": ""}[form or r.choice(["dash", "dash", "space", "dot"])]
    return mark.join((f"{area:03}", f"{group:02}", f"{serial:04}"))


def itin(r, form=None):
    group = r.choice([g for g in range(50, 100) if g not in range(66, 70) and g not in (89, 93)])
    return f"9{r.randint(0, 99):02}-{group:02}-{r.randint(0, 9999):04}"


def email(r, form=None):
    first, last = people.ascii_name(r)
    local = r.choice([f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}", f"{first}+{r.choice(['crm', 'news', 'test1'])}",
                      f"{last}{r.randint(1, 99)}", f"{first}-{last}"])
    return f"{local}@{r.choice(DOMAINS)}"


DOMAINS = ["example.com", "example.org", "example.net", "mail.example.com", "corp.example.co.uk", "example.de", "example.fr",
           "clinic.example.health", "sales.example.io", "example.com.au", "hr.example.museum", "x1.example.info"]


def phone(r, form=None):
    """Written as people of the country write it, or with the country code."""
    form = form or r.choice(["us", "us", "us", "intl", "intl", "national"])
    if form in ("us", "bare"):
        area = r.choice(["212", "415", "312", "206", "617", "303", "404", "512", "702", "919"])
        line = f"01{r.randint(0, 99):02}"
        if form == "bare":
            return f"{area}555{line}"
        return r.choice([f"({area}) 555-{line}", f"{area}-555-{line}", f"{area}.555.{line}", f"+1 {area} 555 {line}", f"+1-{area}-555-{line}",
                         f"1-{area}-555-{line}", f"+1{area}555{line}"])
    d = lambda n: take(r, string.digits, n)
    plans = [
        ("+44 20 7946 0" + d(3), "020 7946 0" + d(3)),
        ("+44 161 496 0" + d(3), "0161 496 0" + d(3)),
        ("+49 30 23125" + d(3), "030 23125" + d(3)),
        ("+33 6 " + " ".join((f"{r.randint(10, 79)}", d(2), d(2), d(2))), "06 " + " ".join((f"{r.randint(10, 79)}", d(2), d(2), d(2)))),
        ("+61 2 5550 " + d(4), "(02) 5550 " + d(4)),
        ("+34 91" + r.choice("2345") + " " + d(3) + " " + d(3), "91" + r.choice("2345") + " " + d(3) + " " + d(3)),
        ("+31 20 5" + d(2) + " " + d(4), "020-5" + d(2) + d(4)),
        ("+91 98" + d(3) + " " + d(5), "+91-98" + d(3) + "-" + d(5)),
        ("+55 11 9" + r.choice("6789") + d(3) + "-" + d(4), "(11) 9" + r.choice("6789") + d(3) + "-" + d(4)),
        ("+81 3-3" + d(3) + "-" + d(4), "03-3" + d(3) + "-" + d(4)),
        ("+65 9" + r.choice("0123456") + d(2) + " " + d(4), "+65 9" + r.choice("0123456") + d(2) + " " + d(4)),
        ("+52 55 5" + d(3) + " " + d(4), "+52 55 5" + d(3) + " " + d(4)),
        ("+46 8 505 " + d(3) + " " + d(2), "08-505 " + d(3) + " " + d(2)),
        ("+353 1 6" + d(2) + " " + d(4), "(01) 6" + d(2) + " " + d(4)),
    ]
    intl, national = r.choice(plans)
    return intl if form == "intl" else national


def ip(r, form=None):
    form = form or r.choice(["v4", "v4", "private", "v6"])
    if form == "v4":
        return r.choice(["192.0.2.", "198.51.100.", "203.0.113."]) + str(r.randint(1, 254))
    if form == "private":
        return r.choice([f"10.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}", f"192.168.{r.randint(0, 255)}.{r.randint(1, 254)}",
                         f"172.{r.randint(16, 31)}.{r.randint(0, 255)}.{r.randint(1, 254)}"])
    groups = [f"{r.randint(1, 65535):x}" for _ in range(6)]
    return r.choice(["2001:db8:" + ":".join(groups), f"2001:db8::{groups[0]}:{groups[1]}", f"fd00:{groups[0]}:{groups[1]}::{groups[2]}",
                     f"fe80::{groups[0]}:{groups[1]}:{groups[2]}:{groups[3]}", "2001:0DB8:" + ":".join(g.zfill(4).upper() for g in groups)])


def mac(r, form=None):
    mark = r.choice([":", ":", "-"])
    text = mark.join(f"{r.randint(0, 255):02x}" for _ in range(6))
    return text.upper() if r.random() < 0.5 else text


def imei(r, form=None):
    body = "35" + number(r, 12)
    return body + digits.luhn(body)


VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9)))


def vin(r, form=None):
    alphabet = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    text = r.choice(["1HG", "1FT", "WVW", "5YJ", "JTD"]) + take(r, alphabet, 5) + "0" + take(r, alphabet, 2) + number(r, 6)
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    check = sum((int(c) if c.isdigit() else VIN_VALUES[c]) * w for c, w in zip(text, weights)) % 11
    return text[:8] + ("X" if check == 10 else str(check)) + text[9:]


def plate(r, form=None):
    return r.choice([f"{number(r, 1, '123456789')}{take(r, string.ascii_uppercase, 3)}{number(r, 3)}",
                     f"{take(r, 'ABCDEFGHJK', 2)}{r.randint(51, 74)} {take(r, 'ABCDEFGHJKLMN', 3)}",
                     f"{r.choice(['M', 'B', 'HH', 'K'])}-{take(r, string.ascii_uppercase, 2)} {r.randint(100, 9999)}"])


def passport(r, form=None):
    return r.choice([number(r, 9, "123456789"), take(r, "ABCEGHLMNPRSX", 1) + number(r, 8)])


def licence(r, form=None):
    """A driver's licence in the form of one of four states."""
    letter = r.choice(string.ascii_uppercase)
    return r.choice([letter + number(r, 7), letter + number(r, 12), f"{letter}{number(r, 3)}-{number(r, 4)}-{number(r, 4)}", number(r, 8)])


MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def day(r, first, last, form=None):
    year, month, date = r.randint(first, last), r.randint(1, 12), r.randint(1, 28)
    name = MONTHS[month - 1]
    forms = {
        "iso": f"{year}-{month:02}-{date:02}", "us": f"{month:02}/{date:02}/{year}", "short": f"{month}/{date}/{year}",
        "eu": f"{date:02}.{month:02}.{year}", "dash": f"{month:02}-{date:02}-{year}", "long": f"{name} {date}, {year}",
        "uk": f"{date} {name} {year}", "abbr": f"{name[:3]} {date}, {year}", "slash": f"{year}/{month:02}/{date:02}",
    }
    return forms[form or r.choice(sorted(forms))]


def birth(r, form=None):
    return day(r, 1932, 2014, form)


def event_date(r, form=None):
    return day(r, 2019, 2025, form)


def age(r, form=None):
    return str(r.randint(90, 104))


# ---- health


def mrn(r, form=None):
    return r.choice([number(r, 7, "123456789"), number(r, 8), f"MRN-{number(r, 6)}", f"{take(r, string.ascii_uppercase, 2)}{number(r, 6)}",
                     f"{number(r, 3)}-{number(r, 2)}-{number(r, 3)}"])


def npi(r, form=None):
    body = r.choice("12") + number(r, 8)
    return body + digits.luhn("80840" + body)


def mbi(r, form=None):
    letters = "ACDEFGHJKMNPQRTUVWXY"
    either = letters + string.digits
    classes = ["123456789", letters, either, string.digits, letters, either, string.digits, letters, letters, string.digits, string.digits]
    text = "".join(r.choice(c) for c in classes)
    return grouped(text, (4, 3, 4), "-") if (form or r.choice(["plain", "dash"])) == "dash" else text


def dea(r, form=None):
    body = number(r, 6)
    check = (digits.weighted(body[::2], (1, 1, 1)) + 2 * digits.weighted(body[1::2], (1, 1, 1))) % 10
    return r.choice("ABFGM") + r.choice(string.ascii_uppercase) + body + str(check)


def member(r, form=None):
    return r.choice([take(r, string.ascii_uppercase, 3) + number(r, 9), "W" + number(r, 9), number(r, 11, "123456789")])


def serial(r, form=None):
    return r.choice([f"SN{take(r, UPPER, 8)}", f"{take(r, string.ascii_uppercase, 2)}{number(r, 8)}", f"{number(r, 4)}-{take(r, UPPER, 6)}"])


# ---- national identifiers


def nino(r, form=None):
    while True:
        head = r.choice("ABCEGHJKLMNOPRSTWXYZ") + r.choice("ABCEGHJKLMNPRSTWXYZ")
        if head not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"):
            break
    text = head + number(r, 6) + r.choice("ABCD")
    return grouped(text, (2, 2, 2, 2), " ") if (form or r.choice(["plain", "space"])) == "space" else text


def nhs(r, form=None):
    while True:
        body = number(r, 9, "4679")
        check = 11 - digits.weighted(body, range(10, 1, -1)) % 11
        if check != 10:
            text = body + str(check % 11)
            return grouped(text, (3, 3), " ") if (form or r.choice(["plain", "space"])) == "space" else text


def utr(r, form=None):
    body = number(r, 9)
    check = "21987654321"[digits.weighted(body, (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11]
    return check + body


def de_tax(r, form=None):
    """Eleven digits, one of the first ten twice or three times, the rest at most once."""
    pool = r.sample(string.digits, 10)
    pool[r.randint(1, 9)] = pool[0]
    r.shuffle(pool)
    if pool[0] == "0":
        other = next(i for i, d in enumerate(pool) if d != "0")
        pool[0], pool[other] = pool[other], pool[0]
    body = "".join(pool)
    text = body + digits.iso7064_11_10(body)
    return grouped(text, (2, 3, 3), " ") if (form or r.choice(["plain", "space"])) == "space" else text


def fr_nir(r, form=None):
    body = f"{r.choice('12')}{r.randint(0, 99):02}{r.randint(1, 12):02}{r.randint(1, 95):02}{r.randint(1, 990):03}{r.randint(1, 999):03}"
    key = f"{97 - int(body) % 97:02}"
    if (form or r.choice(["plain", "space"])) == "plain":
        return body + key
    return " ".join((body[0], body[1:3], body[3:5], body[5:7], body[7:10], body[10:], key))


def nif(r, form=None):
    body = number(r, 8)
    return body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23]


def nie(r, form=None):
    lead, body = r.choice("XYZ"), number(r, 7)
    return lead + body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(lead)) + body) % 23]


ODD = dict(zip(string.digits + string.ascii_uppercase,
               (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)))


def fiscal(r, form=None):
    consonants = "BCDFGLMNPRSTVZ"
    body = (take(r, consonants, 6) + f"{r.randint(30, 99)}" + r.choice("ABCDEHLMPRST")
            + f"{r.choice([r.randint(1, 28), r.randint(41, 68)]):02}" + r.choice("ABCDFGHL") + number(r, 3, "123456789"))
    even = lambda c: int(c) if c.isdigit() else ord(c) - 65
    total = sum(ODD[c] if i % 2 == 0 else even(c) for i, c in enumerate(body))
    return body + chr(65 + total % 26)


def pesel(r, form=None):
    year = r.randint(1935, 2012)
    month = r.randint(1, 12) + (20 if year >= 2000 else 0)
    body = f"{year % 100:02}{month:02}{r.randint(1, 28):02}{number(r, 4)}"
    return body + str(-digits.weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def bsn(r, form=None):
    while True:
        body = number(r, 8, "12345678")
        check = digits.weighted(body, range(9, 1, -1)) % 11
        if check < 10:
            return body + str(check)


def personnummer(r, form=None):
    date = f"{r.randint(35, 99):02}{r.randint(1, 12):02}{r.randint(1, 28):02}"
    body = date + number(r, 3)
    text = f"{date}-{body[6:]}{digits.luhn(body)}"
    return "19" + text if r.random() < 0.5 else text


def hetu(r, form=None):
    date, run = f"{r.randint(1, 28):02}{r.randint(1, 12):02}{r.randint(35, 99):02}", f"{r.randint(2, 899):03}"
    return f"{date}-{run}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(date + run) % 31]}"


def cpr(r, form=None):
    """With the mod-11 digit that numbers issued before 2007 have."""
    while True:
        body = f"{r.randint(1, 28):02}{r.randint(1, 12):02}{r.randint(40, 99):02}{r.randint(0, 399):03}"
        check = -digits.weighted(body, (4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        if check < 10:
            return f"{body[:6]}-{body[6:]}{check}"


def fodselsnummer(r, form=None):
    while True:
        body = f"{r.randint(1, 28):02}{r.randint(1, 12):02}{r.randint(40, 99):02}{r.randint(0, 499):03}"
        first = -digits.weighted(body, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
        second = -digits.weighted(body + str(first), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        if first < 10 and second < 10:
            return body + str(first) + str(second)


# ---- secrets


def github(r, form=None):
    if r.random() < 0.25:
        return "github_pat_" + take(r, ALNUM, 22) + "_" + take(r, ALNUM, 59)
    prefix = r.choice(["ghp_", "gho_", "ghu_", "ghs_", "ghr_"])
    body = take(r, ALNUM, 30)
    # The last six characters are the CRC-32 of what stands before them, in base 62.
    return prefix + body + digits.base62(zlib.crc32(body.encode()), 6)


def jwt(r, form=None):
    enc = lambda value: base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()
    header = {"alg": r.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    body = {"sub": take(r, HEX, 12), "iat": r.randint(1_700_000_000, 1_760_000_000), "scope": r.choice(["read", "crm:read", "admin"])}
    return f"{enc(header)}.{enc(body)}." + take(r, URLSAFE, r.choice([43, 86]))


def pem(r, form=None):
    kind = r.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"])
    body = base64.b64encode(r.randbytes(r.choice([96, 144, 240]))).decode()
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


def password(r, form=None):
    """`url` keeps to characters that the user part of a URL may hold."""
    if form == "url":
        return take(r, ALNUM + "_-.!*", r.randint(10, 20)) + r.choice(string.digits)
    words = ["Tiger", "copper", "Falcon", "ridge", "Maple", "orbit", "Quartz", "velvet", "Comet", "harbor"]
    return r.choice([r.choice(words) + r.choice(words) + str(r.randint(10, 9999)) + r.choice("!#%&*"), take(r, ALNUM + "!#%^*_-", r.randint(10, 18)) + "7xQ",
                     r.choice(words).lower() + "_" + take(r, ALNUM, 6) + "9"])


PLAIN_SECRETS = {
    "AWS_ACCESS_KEY": lambda r: r.choice(["AKIA", "ASIA"]) + take(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
    "AWS_SECRET_KEY": lambda r: take(r, ALNUM + "+/", 40),
    "SLACK_TOKEN": lambda r: r.choice([f"xoxb-{number(r, 12)}-{number(r, 13)}-{take(r, ALNUM, 24)}", f"xoxp-{number(r, 12)}-{number(r, 12)}-{take(r, HEX, 32)}",
                                      f"xapp-1-A{take(r, UPPER, 10)}-{number(r, 13)}-{take(r, HEX, 64)}"]),
    "OPENAI_KEY": lambda r: r.choice(["sk-proj-", "sk-svcacct-"]) + take(r, URLSAFE, 74) + "T3BlbkFJ" + take(r, URLSAFE, 74),
    "ANTHROPIC_KEY": lambda r: "sk-ant-api03-" + take(r, URLSAFE, 93) + "AA",
    "GOOGLE_API_KEY": lambda r: "AIzaSy" + take(r, URLSAFE, 33),
    "STRIPE_KEY": lambda r: r.choice(["sk_live_", "rk_live_"]) + take(r, ALNUM, r.choice([24, 99])),
    "GITLAB_TOKEN": lambda r: "glpat-" + take(r, URLSAFE, 20),
    "NPM_TOKEN": lambda r: "npm_" + take(r, ALNUM, 36),
    "PYPI_TOKEN": lambda r: "pypi-AgEIcHlwaS5vcmc" + take(r, URLSAFE, 150),
    "HUGGINGFACE_TOKEN": lambda r: "hf_" + take(r, string.ascii_letters, 34),
    "TWILIO_KEY": lambda r: "SK" + take(r, HEX, 32),
    "SENDGRID_KEY": lambda r: "SG." + take(r, URLSAFE, 22) + "." + take(r, URLSAFE, 43),
    "GENERIC_SECRET": lambda r: r.choice([take(r, ALNUM, r.randint(24, 48)), take(r, HEX, 40), take(r, URLSAFE, 43)]),
}

MAKERS = {
    "CREDIT_CARD": card, "CVV": cvv, "CARD_EXPIRY": expiry, "IBAN_CODE": iban, "ABA_ROUTING": aba, "US_BANK_NUMBER": bank,
    "SWIFT_CODE": swift, "CRYPTO": crypto, "US_SSN": ssn, "US_ITIN": itin, "EMAIL_ADDRESS": email, "PHONE_NUMBER": phone,
    "IP_ADDRESS": ip, "MAC_ADDRESS": mac, "IMEI": imei, "VIN": vin, "LICENSE_PLATE": plate, "US_PASSPORT": passport,
    "US_DRIVER_LICENSE": licence, "DATE_OF_BIRTH": birth, "MEDICAL_DATE": event_date, "AGE": age, "MEDICAL_RECORD_NUMBER": mrn, "US_NPI": npi,
    "US_MBI": mbi, "MEDICAL_LICENSE": dea, "MEMBER_ID": member, "DEVICE_SERIAL": serial, "UK_NINO": nino, "UK_NHS": nhs, "UK_UTR": utr,
    "DE_TAX_ID": de_tax, "FR_NIR": fr_nir, "ES_NIF": nif, "ES_NIE": nie, "IT_FISCAL_CODE": fiscal, "PL_PESEL": pesel, "NL_BSN": bsn,
    "SE_PERSONNUMMER": personnummer, "FI_HETU": hetu, "DK_CPR": cpr, "NO_FODSELSNUMMER": fodselsnummer,
    "GITHUB_TOKEN": github, "JWT": jwt, "PRIVATE_KEY": pem, "PASSWORD": password, "DATABASE_URL_PASSWORD": password,
    "PERSON": people.name, "ADDRESS": people.address,
}
MAKERS.update({name: (lambda r, form=None, make=make: make(r)) for name, make in PLAIN_SECRETS.items()})


def hidden(r, text):
    """The value as somebody writes it who wants it to pass: other digits, nothing between, escapes."""
    way = r.choice(["wide", "zero", "entity", "percent"])
    if way == "wide":
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    if way == "zero":
        return r.choice(["\u200b", "\u200d", "\u00ad"]).join((text[:3], text[3:7], text[7:]))
    chosen = set(r.sample(range(len(text)), 4))
    escape = "&#{};" if way == "entity" else "%{:02X}"
    return "".join(escape.format(ord(c)) if i in chosen and c.isascii() else c for i, c in enumerate(text))


def make(r, kind):
    name, _, form = kind.partition(".")
    if form == "hidden":
        return hidden(r, MAKERS[name](r, None))
    return MAKERS[name](r, form or None)
