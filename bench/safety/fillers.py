"""What stands around the values: ids, times and names of things, none of which is to be found."""

import string

from values import HEX, UPPER, number, take

COMPANIES = ["Northwind Traders", "Blue Harbor Logistics", "Acme Industrial", "Contoso Health", "Globex Foods", "Initech Software", "Umbra Energy", "Helios Robotics"]
PRODUCTS = ["Aurora Desk Lamp", "Trail Runner 3", "Cloud Sync Pro", "Granite Countertop Kit", "Nimbus Router", "Evergreen Office Chair", "Falcon Drone"]
CITIES = ["Lisbon", "Toronto", "Austin", "Nairobi", "Kraków", "New York", "San Diego", "Mexico City"]
WORDS = {
    "company": COMPANIES, "product": PRODUCTS, "city": CITIES,
    "system": ["data warehouse", "CRM", "billing system", "ticket queue", "EHR"],
    "tool": ["crm.update_contact", "records.search", "lookup_record", "billing.patch", "ehr_query", "update_profile"],
    "service": ["gateway", "billing-api", "sync-worker", "intake", "auth-service"],
    "team": ["Customer Success", "Platform Team", "Revenue Operations", "People Operations"],
    "path": ["records", "contacts", "orders", "export"],
}


def uuid(r):
    text = r.randbytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def stamp(r):
    return f"2025-{r.randint(1, 12):02}-{r.randint(1, 28):02}T{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}Z"


MADE = {
    "id": lambda r: r.choice(["acc_", "rec_", "usr_", "req_"]) + take(r, HEX, 10),
    "uuid": uuid,
    "stamp": stamp,
    "ms": lambda r: str(r.randint(2, 900)),
    "ticket": lambda r: f"{r.choice(['OPS', 'CRM', 'SUP', 'INC'])}-{r.randint(100, 9999)}",
    "order": lambda r: f"SO-{r.randint(10000, 99999)}",
    "amount": lambda r: f"{r.randint(10, 9000)}.{r.randint(0, 99):02}",
    "sku": lambda r: f"{take(r, string.ascii_uppercase, 3)}-{r.randint(100, 999)}",
    "tracking": lambda r: "1Z" + take(r, UPPER, 6) + number(r, 10),
}


def make(r, word):
    return MADE[word](r) if word in MADE else r.choice(WORDS[word])
