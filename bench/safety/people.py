"""Invented people: names of many cultures and postal addresses in the forms of ten countries."""

import string
import unicodedata

CULTURES = {
    "anglo": ("Olivia Emma Charlotte Amelia Grace Hannah Megan Rachel Brenda Tamika Liam Noah Ethan Marcus Derek Craig Wesley Trevor Darnell Kyle Susan Gregory Heather Patrick Linda Walter Joanne Keith Phyllis Dwight",
              "Whitfield Harmon Castillo Barker Osborne Pruitt Lawson Garrison Mercer Dalton Holloway Thornton Pope Blackwell Finch Abbott Hendricks Stokes Drake Underwood Beasley Swanson Kirkland Ashworth O'Neil McAllister MacLeod O'Brien Fitzgerald St. Clair"),
    "german": ("Jürgen Anneliese Matthias Sabine Uwe Heike Thorsten Ulrike Lukas Greta Björn Käthe", "Müller Schröder Köhler Weiß Krüger Baumgartner Hoffmann Lindner Voss Riedel von Stauffen zu Hohenberg"),
    "french": ("Amélie Jean-Luc Marie-Claire Étienne Benoît Chloé Mathilde Guillaume Sylvie Thibault", "Lefèvre Moreau Dubois Rousseau de Villiers Garnier Chevalier Marchand d'Estrées Beaulieu"),
    "spanish": ("Ximena Alejandro Guadalupe Íñigo María José Lucía Rodrigo Beatriz Joaquín Pilar", "García López Hernández Ibáñez Muñoz de la Cruz Ortega Villanueva Peña Quintero"),
    "italian": ("Giulia Lorenzo Chiara Matteo Francesca Alessandro Ginevra Niccolò", "Bianchi Ferrari Esposito Ricci di Marco De Luca Colombo Gallo"),
    "dutch": ("Sanne Joost Pieter Femke Maarten Anouk", "van den Berg de Vries Jansen van Dijk Bakker ter Horst"),
    "nordic": ("Åsa Bjørn Søren Astrid Kjersti Øyvind Eero Aino Linnea Magnus", "Lindqvist Håkansson Jørgensen Virtanen Dahl Bergström Nygård Mäkinen Kristiansen"),
    "slavic": ("Agnieszka Zbigniew Katarzyna Dmitri Svetlana Vladimír Ljubica Milena Bohdan Oksana", "Kowalczyk Nowak Wiśniewski Petrov Ivanova Dvořák Horvat Szczepański Shevchenko Jovanović"),
    "indian": ("Priya Rajesh Ananya Arjun Lakshmi Sanjay Deepika Vikram Harpreet Nisha", "Sharma Patel Iyer Banerjee Reddy Chaudhary Gupta Nair Singh Krishnamurthy"),
    "chinese": ("Wei Xiaoming Mei Jian Yuxuan Lihua Zhihao Jing", "Zhang Liu Chen Huang Zhao Lin Xu Ouyang"),
    "japanese": ("Haruto Yuki Sakura Kenji Akiko Takeshi Naomi Hiroshi", "Tanaka Watanabe Kobayashi Fujimoto Shimizu Yamaguchi"),
    "korean": ("Min-jun Seo-yeon Ji-hoon Hye-jin", "Kim Park Choi Jung Yoon"),
    "arabic": ("Fatima Omar Khalid Layla Yusuf Noor Hassan Amina", "Al-Masri Haddad El-Sayed Khoury Rahman bin Rashid"),
    "african": ("Chinedu Amara Kwame Thandiwe Oluwaseun Zanele Ngozi Tendai", "Okafor Mensah Dlamini Adeyemi Nkosi Abubakar Moyo"),
    "hebrew": ("Avi Noa Eitan Shira Yael Moshe", "Cohen Levi Mizrahi Ben-David Friedman"),
    "vietnamese": ("Linh Thuy Minh Hoa", "Nguyen Tran Pham Hoang"),
    "turkish": ("Ayşe Mehmet Elif Emre", "Yılmaz Demir Şahin Öztürk"),
    "brazilian": ("João Thiago Mariana Letícia", "Silva Oliveira dos Santos Pereira da Costa"),
}
PARTICLES = {"von", "zu", "de", "la", "di", "De", "van", "den", "ter", "dos", "da", "bin", "St.", "d'Estrées"}
SPLIT = {}
for culture, (given, family) in CULTURES.items():
    families, current = [], []
    for word in family.split():
        current.append(word)
        if word not in PARTICLES or word.startswith("d'"):
            families.append(" ".join(current))
            current = []
    SPLIT[culture] = (given.split(), families)


ONSETS = "B Br C Ch D Dr F G Gr H J K Kr L M N P Pr Qu R S Sh St T Th Tr V W Y Z".split()
RIMES = "a al an ar ath e el en er et i in is ith o on or oss u ul un ay ea ia".split()


def invented(r):
    """A name that no list has, of two or three syllables."""
    count = r.choice([2, 2, 3])
    return "".join(r.choice(ONSETS) + r.choice(RIMES) for _ in range(count)).capitalize()


def parts(r):
    if r.random() < 0.25:
        return invented(r), invented(r)
    culture = r.choices(sorted(SPLIT), weights=[8 if c == "anglo" else 2 if c in ("german", "french", "spanish", "indian") else 1 for c in sorted(SPLIT)])[0]
    given, families = SPLIT[culture]
    return r.choice(given), r.choice(families)


def name(r, form=None):
    """`given`, `family`, `full` (a third of them with a middle name or initial), `reversed`, `upper`, `short` (J. Doe)."""
    first, last = parts(r)
    if form == "given":
        return first
    if form == "family":
        return last
    if form == "reversed":
        return f"{last}, {first}"
    if form == "upper":
        return f"{first} {last}".upper()
    if form == "short":
        return f"{first[0]}. {last}"
    extra = r.random()
    if extra < 0.12:
        return f"{first} {r.choice(string.ascii_uppercase[:20])}. {last}"
    if extra < 0.18:
        return f"{first} {parts(r)[0]} {last}"
    return f"{first} {last}"


def ascii_name(r):
    def fold(text):
        text = text.replace("ß", "ss").replace("ø", "o").replace("Ø", "O").replace("ı", "i").replace("Ł", "L").replace("ł", "l").replace("đ", "d")
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        return "".join(c for c in plain if c.isalpha())

    first, last = parts(r)
    return fold(first), fold(last)


def digits(r, count):
    return "".join(r.choice(string.digits) for _ in range(count))


STREETS = "Maple Cedar Juniper Hawthorne Willow Ridgeview Lakeshore Franklin Monroe Sycamore Old Mill Magnolia Prospect Bluebird Copper Canyon Pine Hollow Orchard Harrison Vine".split()
US = [("Springfield", "IL"), ("Portland", "OR"), ("Austin", "TX"), ("Boise", "ID"), ("Madison", "WI"), ("Santa Fe", "NM"), ("Raleigh", "NC"), ("Salt Lake City", "UT"), ("Fort Wayne", "IN"), ("St. Louis", "MO")]
STATES = {"IL": "Illinois", "OR": "Oregon", "TX": "Texas", "ID": "Idaho", "WI": "Wisconsin", "NM": "New Mexico", "NC": "North Carolina", "UT": "Utah", "IN": "Indiana", "MO": "Missouri"}


def us(r):
    number = r.randint(3, 9899)
    street = r.choice(["", "", "", "N ", "SW ", "East "]) + r.choice(STREETS)
    kind = r.choice(["St", "Street", "Ave", "Avenue", "Rd", "Road", "Blvd", "Drive", "Dr", "Ln", "Lane", "Court", "Ct", "Way", "Pl", "Terrace", "Pkwy", "Circle", "Trail"])
    if r.random() < 0.08:
        number, street, kind = number, str(r.randint(21, 98)) + "th", r.choice(["St", "Ave"])
    unit = r.choice(["", "", "", f", Apt {r.randint(1, 40)}", f" #{r.randint(1, 400)}", f", Suite {r.randint(100, 900)}", f" Apt. {r.randint(1, 9)}{r.choice('ABC')}", f", Unit {r.randint(1, 60)}"])
    city, state = r.choice(US)
    if r.random() < 0.2:
        state = STATES[state]
    code = digits(r, 5) + (f"-{digits(r, 4)}" if r.random() < 0.2 else "")
    tail = r.choice([f", {city}, {state} {code}", f", {city}, {state} {code}", f", {city} {state} {code}", f", {city}, {state}", ""])
    return f"{number} {street} {kind}{unit}{tail}"


def po_box(r):
    city, state = r.choice(US)
    return f"{r.choice(['PO Box', 'P.O. Box'])} {r.randint(10, 9999)}, {city}, {state} {digits(r, 5)}"


def uk(r):
    code = r.choice(["SW1A 2AA", "M1 4BT", "EH3 9QN", "LS11 5DR", "CB2 1TN", "BS8 4QD", "G12 8QQ", "NG7 2RD"])
    head = r.choice(["", "", f"Flat {r.randint(1, 30)}, "])
    road = r.choice(["High Street", "Station Road", "Church Lane", "Victoria Terrace", "Mill Close", "Park Crescent", "Queens Gardens", "Albert Mews", "Kings Grove"])
    return f"{head}{r.randint(1, 240)}{r.choice(['', '', 'A'])} {road}, {r.choice(['London', 'Manchester', 'Leeds', 'Bristol', 'Cambridge', 'Nottingham'])} {code}"


def irish(r):
    return f"{r.randint(1, 150)} {r.choice(['Grafton Street', 'Harbour Road', 'Abbey Court'])}, Dublin {r.randint(1, 24)}"


def australian(r):
    return f"{r.randint(1, 300)} {r.choice(['Banksia', 'Wattle', 'Harbour', 'Collins'])} {r.choice(['St', 'Parade', 'Crescent', 'Road'])}, {r.choice(['Fitzroy VIC 3065', 'Newtown NSW 2042', 'Fremantle WA 6160', 'Paddington QLD 4064'])}"


def canadian(r):
    code = r.choice("KLMNT") + digits(r, 1) + r.choice("ABCEGHJ") + " " + digits(r, 1) + r.choice("ABCEGHJ") + digits(r, 1)
    return f"{r.randint(10, 4000)} {r.choice(['Lakeshore Rd', 'Bloor Street West', 'Granville St', 'Elgin Avenue'])}, {r.choice(['Toronto, ON', 'Ottawa ON', 'Vancouver, BC'])} {code}"


def german(r):
    street = r.choice(["Lindenstraße", "Gartenstr.", "Hauptstrasse", "Am Rosengarten", "Goetheplatz", "Bahnhofstraße", "Birkenweg", "Kastanienallee", "Berliner Straße", "Schillergasse"])
    return f"{street} {r.randint(1, 180)}{r.choice(['', '', 'a', 'b'])}, {r.randint(10115, 98999)} {r.choice(['Berlin', 'München', 'Köln', 'Leipzig', 'Freiburg im Breisgau', 'Bad Homburg'])}"


def french(r):
    return (f"{r.randint(1, 190)}{r.choice(['', '', ' bis'])} {r.choice(['rue de la République', 'avenue Victor Hugo', 'boulevard Saint-Michel', 'rue des Lilas', 'place du Marché', 'allée des Tilleuls', 'impasse du Moulin'])}, "
            f"{r.randint(10000, 95999)} {r.choice(['Paris', 'Lyon', 'Bordeaux', 'Saint-Étienne', 'Aix-en-Provence'])}")


def spanish(r):
    return f"{r.choice(['Calle Mayor', 'C/ Alcalá', 'Avenida de la Constitución', 'Plaza de España', 'Paseo del Prado'])}{r.choice([',', ''])} {r.randint(1, 220)}{r.choice(['', '', ', 3º B'])}, {r.randint(10001, 52080)} {r.choice(['Madrid', 'Sevilla', 'Valencia', 'San Sebastián'])}"


def italian(r):
    return f"{r.choice(['Via Garibaldi', 'Via dei Mille', 'Corso Vittorio Emanuele', 'Viale Europa', 'Piazza Dante'])}{r.choice([',', ''])} {r.randint(1, 200)}, {r.randint(10010, 98168)} {r.choice(['Roma', 'Milano', 'Torino', 'Reggio Emilia'])}{r.choice(['', ' RM', ' (MI)'])}"


def dutch(r):
    return f"{r.choice(['Keizersgracht', 'Dorpsstraat', 'Molenweg', 'Beethovenlaan', 'Stationsplein'])} {r.randint(1, 400)}{r.choice(['', '-2', 'A'])}, {r.randint(1011, 9999)} {r.choice(['AB', 'CX', 'GH', 'VK'])} {r.choice(['Amsterdam', 'Utrecht', 'Den Haag'])}"


def nordic(r):
    return r.choice([f"Storgatan {r.randint(1, 90)}, {r.randint(100, 984)} {r.randint(10, 99)} Stockholm", f"Kongens gate {r.randint(1, 60)}, {r.randint(1000, 9990):04} Oslo",
                     f"Nørregade {r.randint(1, 80)}, {r.randint(1050, 9990)} København", f"Mannerheimintie {r.randint(1, 150)}, {r.randint(100, 990):05} Helsinki"])


FORMS = {"us": us, "box": po_box, "uk": uk, "ie": irish, "au": australian, "ca": canadian, "de": german, "fr": french, "es": spanish, "it": italian, "nl": dutch, "nordic": nordic}


def address(r, form=None):
    form = form or r.choices(sorted(FORMS), weights=[12 if f == "us" else 4 if f == "uk" else 3 if f in ("de", "fr") else 2 for f in sorted(FORMS)])[0]
    return FORMS[form](r)
