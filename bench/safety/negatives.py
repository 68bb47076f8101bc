"""Hard negatives: what looks like a sensitive value and is none.

Each entry is a text with slots of its own (see `MADE`); a text in which nothing is drawn is used once, the others
until the set is full.
"""

import digits
import fillers
from values import ALNUM, HEX, UPPER, URLSAFE, grouped, number, take


def not_luhn(r, length, lead):
    body = lead + number(r, length - 1 - len(lead))
    return body + str((int(digits.luhn(body)) + r.randint(1, 9)) % 10)


def foreign_luhn(r):
    """Passes Luhn, but no card network has such numbers."""
    body = r.choice(["10", "12", "70", "78", "81", "95", "99"]) + number(r, 13)
    return body + digits.luhn(body)


def bad_ssn(r):
    return r.choice([f"000-{r.randint(10, 99)}-{number(r, 4)}", f"666-{r.randint(10, 99)}-{number(r, 4)}", f"{r.randint(100, 899)}-00-{number(r, 4)}", f"{r.randint(100, 665)}-{r.randint(10, 99)}-0000"])


def bad_iban(r):
    body = number(r, 18)
    right = 98 - digits.mod97(body + "DE00")
    return f"DE{right - 1 if right > 2 else right + 1:02}{body}"


def bad_base58(r):
    return r.choice("13") + take(r, digits.BASE58, 33)


def wrong_github(r):
    return "ghp_" + take(r, "abcdefghij", 36)


def isbn(r):
    body = "978" + number(r, 9)
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


MADE = {
    "hex32": lambda r: take(r, HEX, 32), "hex40": lambda r: take(r, HEX, 40), "hex64": lambda r: take(r, HEX, 64), "hex7": lambda r: take(r, HEX, 7),
    "d8": lambda r: number(r, 8, "123456789"), "d9": lambda r: number(r, 9, "123456789"), "d10": lambda r: number(r, 10, "1"), "d12": lambda r: number(r, 12, "123456789"),
    "d18": lambda r: number(r, 18, "1"), "badcard": lambda r: not_luhn(r, 16, r.choice(["4", "52", "6011"])), "badamex": lambda r: not_luhn(r, 15, "37"),
    "badcardspaced": lambda r: grouped(not_luhn(r, 16, "4"), (4, 4, 4), " "), "foreign": foreign_luhn, "badssn": bad_ssn, "badiban": bad_iban,
    "badbase58": bad_base58, "badgithub": wrong_github, "isbn": isbn, "version": lambda r: ".".join(str(r.randint(0, 30)) for _ in range(3)),
    "version4": lambda r: ".".join(str(r.randint(0, 30)) for _ in range(4)), "oid": lambda r: "1.3.6.1.4.1." + ".".join(str(r.randint(1, 9999)) for _ in range(3)),
    "badip": lambda r: f"{r.randint(256, 999)}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(256, 400)}", "epoch": lambda r: str(r.randint(1_690_000_000, 1_760_000_000)),
    "ms13": lambda r: str(r.randint(1_690_000_000_000, 1_760_000_000_000)), "date": lambda r: fillers.stamp(r)[:10], "b64": lambda r: take(r, ALNUM, 44) + "==",
    "slug": lambda r: take(r, URLSAFE, 11), "sku": lambda r: f"{take(r, UPPER, 4)}-{number(r, 4)}-{number(r, 2)}", "n": lambda r: str(r.randint(2, 400)), "n4": lambda r: str(r.randint(1000, 9999)),
    "float": lambda r: f"{r.uniform(-90, 90):.6f}", "time": lambda r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}",
}

DRAWN = [
    # identifiers of machines
    "commit [[hex40]] merged into main", "sha256:[[hex64]]", "image: registry.example.com/app@sha256:[[hex64]]", "etag \"[[hex32]]\"", "md5 [[hex32]]  dist/app.tar.gz",
    '{"trace_id":"[[hex32]]","span_id":"[[hex7]]","parent":null}', '{"id":"[[~uuid]]","status":"done"}', "request [[~uuid]] finished in [[~ms]]ms",
    '{"tool_call_id":"call_[[slug]]","name":"get_weather","arguments":{"city":"Lisbon"}}', "https://video.example.com/watch?v=[[slug]]", "cache key v2:[[hex32]]:[[n4]]",
    '"integrity": "sha512-[[b64]]"', "session s_[[hex32]] expired", "build [[hex7]] ([[version]])", "pod api-7d9f8b6c5d-[[hex7]] restarted [[n]] times",
    # numbers
    "order number [[badcard]] was shipped", "order [[badcardspaced]] is on its way", "batch [[foreign]] done", '{"order_id":"[[badcard]]","items":[[n]]}', '{"snowflake":"[[d18]]"}', "invoice [[d9]] paid",
    '{"order_id":[[d9]],"total":[[n]].50}', '{"ticket":"[[d9]]"}', "tracking number [[d12]]", "shipment [[~tracking]] left the depot", "ISBN [[isbn]]", "SKU [[sku]] out of stock", "EAN [[isbn]], shelf [[n]]",
    "case [[d10]] was closed", "ts=[[epoch]] level=info", '{"created":[[epoch]],"expires_ms":[[ms13]]}', "took [[n]].[[n4]] s for [[d8]] rows", "lat [[float]], lon [[float]]", "offset [[d12]] of [[d12]]",
    "part number [[badssn]]-A", "ref [[badssn]]", "the sample SSN [[badssn]] is not valid", "account ref [[badiban]] was rejected by the checksum", "amex-like id [[badamex]]", "tx [[badbase58]] not found",
    "error code 0x[[hex7]], [[n4]] times", "ticket no. [[d10]] from [[date]]", "[[date]] [[time]] job [[d8]] started", "row [[d9]] of table orders", "uid=[[n4]] gid=[[n4]] size=[[d8]]",
    # versions and dotted things
    "release [[version]] of the SDK", "Chrome/131.0.[[n4]].[[n]] Safari/537.36", "firmware version [[version4]]", "OID [[oid]]", "upgrade from [[version4]] to [[version4]]", "pkg@[[version]] installed", "section [[version]] of the manual",
    "host [[badip]] does not resolve", "at [[time]] on [[date]]", "released on [[date]]", "the build of [[date]] has [[n]] fixes", '{"version":"[[version4]]","date":"[[date]]"}',
    # keys that are only spoken of
    "set OPENAI_API_KEY in the environment, then run build [[n]]", 'api_key = os.environ["SERVICE_[[n]]_KEY"]', "password: ${DB_PASSWORD_[[n]]}", '{"secret_name":"prod/db-[[n]]/password"}', "token: {{ secrets.DEPLOY_TOKEN_[[n]] }}",
    "password=******** (policy [[n]])", "secretKeyRef: {name: db-[[n]], key: password}", "the checksum ghp is not a token: [[badgithub]]", "Authorization: Bearer <YOUR_TOKEN_[[n]]>", "max_tokens=[[n4]], token_count=[[n4]]",
    '{"password_reset_required":true,"password_age_days":[[n]]}', "API_KEY=your-api-key-here # step [[n]]", "sk-... ([[n]] characters)", "key id: projects/demo/keys/[[n]]", "vault read secret/data/app-[[n]]",
    # things with capitals and numbers
    "[[n]] Way Handshake explained", "Room [[n]], Building C", "Chapter [[n]]: The Long Road Home", "Step [[n]] Drive the change", "Windows Server [[n4]] Standard", "Route [[n]] is closed", "Top [[n]] Places to Work", "[[n]] Park rangers were hired",
    "Gate [[n]] Terminal 2", "Lot [[n]] Court records request", "Error [[n4]] Lane departure sensor", "Apollo [[n]] Mission Report", "Sprint [[n]] Review", "[[n]] Days in New Orleans", "Table [[n]] Place settings", "Form [[n4]] Street cleaning schedule",
    "Issue [[n]]: Close the dialog when Escape is pressed", "[[n]] Square meters of office space in Lower Manhattan", "Version [[n]] Way faster than before", "[[n]] Circle members renewed",
    '{"name":"report_[[n]].pdf","size":[[d8]]}', '{"name":"Quarterly Report [[n]]","type":"dashboard"}', '{"name":"web_search","description":"Search the web","max_results":[[n]]}', '{"address":"0.0.0.0:[[n4]]","proto":"tcp"}',
    '{"file_name":"Annual Review [[n4]].docx"}', "[[~company]] signed [[n]] new contracts", "[[~product]] sold [[n]] units in [[~city]]",
]

ORGANISATIONS = ["Morgan Stanley", "Charles Schwab", "Wells Fargo", "Johnson Controls", "Goldman Sachs", "Ralph Lauren", "Eli Lilly", "Tommy Hilfiger", "Marks and Spencer", "Main Street Bank", "Deutsche Bank", "General Electric",
                 "Red Hat", "Palo Alto Networks", "Western Digital", "Texas Instruments", "Bank of America", "Royal Dutch Shell", "Abbott Laboratories", "Warner Music Group", "Thomson Reuters", "St. Jude Hospital",
                 "Stanford University", "King Abdullah University", "Lincoln Center", "Madison Square Garden", "Massachusetts General Hospital", "Mount Sinai Hospital", "Jordan Brand", "Harrison Consulting LLC", "Whitfield Partners"]
THINGS = ["Visual Studio", "Google Cloud", "Apache Kafka", "Amazon Bedrock", "Windows Defender", "Power Automate", "Siri Shortcuts", "Alexa Skills", "Claude Code", "Azure Functions", "Jenkins Pipeline", "Jupyter Notebook", "Spring Boot",
          "Ruby on Rails", "Grace Period", "Mark Down", "Rose Gold", "Jasmine Rice", "Faith Based", "Victoria Line", "Tesla Model", "Ford Mustang", "Rust Analyzer", "Hidden Markov Model", "Bayes Theorem", "Dijkstra Algorithm", "Turing Test"]
PLACES = ["New York", "San Francisco", "Santa Barbara", "St. Louis", "Los Angeles", "Virginia Beach", "Salt Lake City", "Buenos Aires", "Hong Kong", "New South Wales", "Sierra Nevada", "Charlotte Airport", "Paris Orly", "Jackson Hole",
          "San Antonio", "Mount Everest", "Austin Texas", "Lake Victoria", "Cape Town", "Washington Square Park", "Santa Clara County", "Prince Edward Island"]
ROLES = ["Account Manager", "Senior Engineer", "Chief Financial Officer", "Product Owner", "Office Manager", "Regional Director", "Data Protection Officer", "Night Shift Supervisor", "Customer Support", "Release Manager"]
HEADINGS = ["Getting Started", "Release Notes", "Quarterly Business Review", "Terms and Conditions", "Known Issues", "Executive Summary", "Next Steps", "Action Items", "Data Retention Policy", "Frequently Asked Questions", "Table of Contents", "Open Questions"]
ALONE = {
    "org": ORGANISATIONS, "thing": THINGS, "place": PLACES, "role": ROLES, "heading": HEADINGS,
    "month": ["January", "March", "April", "May", "June", "August", "September", "December"], "weekday": ["Monday", "Tuesday", "Friday", "Sunday"],
}
NAMED = [
    "The contract with [[org]] ends in [[month]].", "{\"company\":\"[[org]]\",\"segment\":\"enterprise\"}", "We met with [[org]] about the renewal.", "Shares of [[org]] rose on [[weekday]].", "Vendor: [[org]]", "assigned to [[org]] support",
    "Install [[thing]] before you continue.", '{"product_name":"[[thing]]","price":20}', "Does [[thing]] support proxies?", "[[thing]] Settings", "{\"name\":\"[[thing]]\",\"kind\":\"software\"}", "I'm using [[thing]] on a laptop.",
    "The office in [[place]] opens on [[weekday]].", '{"city":"[[place]]","population":120000}', "Flights to [[place]] were cancelled in [[month]].", "Weather for [[place]]: sunny", "I'm from [[place]] and new here.", "Hi from [[place]]!",
    "Dear [[role]],\n\nthank you for your time.", "Hi Team,\n\nthe [[heading]] page is live.", "Escalate to the [[role]] on duty.", "Title: [[role]]", "Role,Open since\n[[role]],[[month]]", "Best regards,\nThe [[role]] Team", "Hello [[role]]",
    "# [[heading]]\n\nSee below.", "## [[heading]]", "<h2>[[heading]]</h2>", "Dear Customer,\n\nplease read our [[heading]].", "Agenda for [[weekday]]: [[heading]]", "Kind regards,\n[[org]]", "Thanks,\nCustomer Success Team",
    "class [[thing]]Factory implements Builder", "Hey Siri, open [[thing]]", "called by the [[role]]", "patient portal of [[org]]", "My name is on the list for [[place]].", "Contact: [[role]]", "From: [[org]] <noreply>",
]


def texts(r, count):
    """`count` different texts; `[[~word]]` is filled as elsewhere."""
    seen = []
    known = set()
    turn = 0
    while len(seen) < count:
        source = DRAWN[turn // 2 % len(DRAWN)] if turn % 2 == 0 else NAMED[turn // 2 % len(NAMED)]
        turn += 1
        text, done = "", 0
        while (start := source.find("[[", done)) >= 0:
            end = source.index("]]", start)
            word = source[start + 2 : end]
            text += source[done:start]
            text += fillers.make(r, word[1:]) if word.startswith("~") else r.choice(ALONE[word]) if word in ALONE else MADE[word](r)
            done = end + 2
        text += source[done:]
        if text not in known:
            known.add(text)
            seen.append(("named" if turn % 2 == 0 else "drawn", text))
    return seen
