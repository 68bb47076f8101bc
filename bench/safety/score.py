"""Compares what a scanner found with what there is: score.py SET FOUND

Both are JSONL. A gold span is found if a span of its class covers at least half of its bytes; a span of a class is
right if it does that for some gold span of the class. "Core" is payment, identity, health and secret data; names and
addresses, and the kinds that no peer claims, stand below it on their own.
"""

import collections
import json
import sys

SECRETS = {
    "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "GITHUB_TOKEN", "SLACK_TOKEN", "OPENAI_KEY", "ANTHROPIC_KEY", "GOOGLE_API_KEY", "STRIPE_KEY", "GITLAB_TOKEN",
    "NPM_TOKEN", "PYPI_TOKEN", "HUGGINGFACE_TOKEN", "TWILIO_KEY", "SENDGRID_KEY", "PRIVATE_KEY", "JWT", "DATABASE_URL_PASSWORD", "PASSWORD", "GENERIC_SECRET",
}
CORE = [
    "CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "IBAN_CODE", "IP_ADDRESS", "DATE_OF_BIRTH", "MEDICAL_RECORD_NUMBER", "US_NPI", "US_MBI",
    "US_PASSPORT", "US_DRIVER_LICENSE", "US_BANK_NUMBER", "ABA_ROUTING", "CRYPTO", "SECRET",
]
# Other tools' names, and kinds that are told apart here but not by everyone.
ALIASES = {name: "SECRET" for name in SECRETS} | {
    "LOCATION": "ADDRESS", "STREET_ADDRESS": "ADDRESS", "PERSON_NAME": "PERSON", "NAME": "PERSON", "AWS_ACCESS_KEY_ID": "SECRET", "API_KEY": "SECRET", "SSH_KEY": "SECRET",
    "JWT_TOKEN": "SECRET", "TOKEN": "SECRET", "MBI": "US_MBI", "US_NPI_NUMBER": "US_NPI", "NPI": "US_NPI", "ABA_ROUTING_NUMBER": "ABA_ROUTING", "US_ROUTING_NUMBER": "ABA_ROUTING",
    "BTC_ADDRESS": "CRYPTO", "ETH_ADDRESS": "CRYPTO", "CRYPTO_WALLET": "CRYPTO", "BANK_ACCOUNT": "US_BANK_NUMBER", "PASSPORT_NUMBER": "US_PASSPORT", "PASSPORT": "US_PASSPORT",
    "DRIVER_LICENSE": "US_DRIVER_LICENSE", "EMAIL": "EMAIL_ADDRESS", "PHONE": "PHONE_NUMBER", "IBAN": "IBAN_CODE",
    "DEA_NUMBER": "MEDICAL_LICENSE", "BIC": "SWIFT_CODE", "SWIFT": "SWIFT_CODE", "SWIFT_BIC": "SWIFT_CODE", "NHS_NUMBER": "UK_NHS", "UK_NINO_NUMBER": "UK_NINO", "VEHICLE_VIN": "VIN", "VEHICLE_IDENTIFICATION_NUMBER": "VIN",
    "HEALTH_PLAN_ID": "MEMBER_ID", "HEALTH_PLAN_MEMBER_ID": "MEMBER_ID", "HEALTH_PLAN_NUMBER": "MEMBER_ID", "CARD_VERIFICATION": "CVV", "CARD_CVV": "CVV", "CREDIT_CARD_CVV": "CVV", "CREDIT_CARD_EXPIRY": "CARD_EXPIRY",
    "LICENSE_PLATE_NUMBER": "LICENSE_PLATE", "ES_DNI": "ES_NIF", "DE_STEUER_ID": "DE_TAX_ID", "SE_PERSONAL_ID": "SE_PERSONNUMMER", "FI_PERSONAL_IDENTITY_CODE": "FI_HETU", "NO_FNR": "NO_FODSELSNUMMER",
    "ADMISSION_DATE": "MEDICAL_DATE", "DISCHARGE_DATE": "MEDICAL_DATE", "DATE_OF_DEATH": "MEDICAL_DATE", "HIPAA_DATE": "MEDICAL_DATE",
    "STRIPE_API_KEY": "SECRET", "OPENAI_API_KEY": "SECRET", "ANTHROPIC_API_KEY": "SECRET", "SENDGRID_API_KEY": "SECRET", "TWILIO_API_KEY": "SECRET",
    "DATABASE_CONNECTION_STRING": "SECRET", "HTTP_BASIC_AUTH": "SECRET", "UK_PHONE_NUMBER": "PHONE_NUMBER", "UK_MOBILE_NUMBER": "PHONE_NUMBER", "PO_BOX": "ADDRESS", "GITHUB_PAT": "SECRET", "URL_PASSWORD": "SECRET", "URL_CREDENTIALS": "SECRET",
}


def of_class(name):
    return ALIASES.get(name, name)


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def overlap(gold, span):
    shared = min(gold["end"], span["end"]) - max(gold["start"], span["start"])
    return shared * 2 >= gold["end"] - gold["start"] > 0


def rates(found, missed, right, wrong):
    recall = found / (found + missed) if found + missed else None
    precision = right / (right + wrong) if right + wrong else None
    if not precision or not recall:
        return {"gold": found + missed, "p": precision, "r": recall, "f1": 0.0 if found + missed else None}
    return {"gold": found + missed, "p": precision, "r": recall, "f1": 2 * precision * recall / (precision + recall)}


def score(rows, answers, least=0.0):
    """`answers` maps a row's id to its spans; those scored below `least` do not count."""
    found, missed, right, wrong, alarms = (collections.Counter() for _ in range(5))
    negatives = clean = leaky = alarmed = 0
    for row in rows:
        spans = [s for s in answers[row["id"]] if s.get("score", 1.0) >= least]
        golds = row["spans"]
        for gold in golds:
            hit = any(of_class(s["type"]) == of_class(gold["type"]) and overlap(gold, s) for s in spans)
            (found if hit else missed)[of_class(gold["type"])] += 1
        for span in spans:
            kind = of_class(span["type"])
            fits = any(of_class(g["type"]) == kind and overlap(g, span) for g in golds)
            (right if fits else wrong)[kind] += 1
        core = [g for g in golds if of_class(g["type"]) in CORE]
        if core:
            covered = set().union(*(range(s["start"], s["end"]) for s in spans))
            whole = all(covered.issuperset(range(g["start"], g["end"])) for g in core)
            clean, leaky = clean + whole, leaky + (not whole)
        if row["kind"].startswith("negative"):
            negatives += 1
            kinds = [of_class(s["type"]) for s in spans]
            alarms.update(kinds)
            alarmed += any(kind in CORE for kind in kinds)
    kinds = set(found) | set(missed)
    per_type = {kind: rates(found[kind], missed[kind], right[kind], wrong[kind]) for kind in kinds}
    micro = lambda chosen: rates(*(sum(counter[kind] for kind in chosen) for counter in (found, missed, right, wrong)))
    others = sorted(kinds - set(CORE) - {"PERSON", "ADDRESS"})
    per_1000 = lambda chosen: 1000 * sum(alarms[kind] for kind in chosen) / negatives if negatives else 0.0
    return {
        "per_type": per_type, "core": micro(CORE), "other": micro(others), "macro_f1": sum(per_type[k]["f1"] for k in CORE if k in per_type) / len(CORE),
        "false_per_1000": per_1000(CORE), "false_person": per_1000(["PERSON"]), "false_address": per_1000(["ADDRESS"]), "false_other": per_1000(others),
        "leak_nothing": clean / (clean + leaky) if clean + leaky else 1.0, "negatives": negatives, "rows": len(rows),
    }


def main():
    rows, found = read(sys.argv[1]), read(sys.argv[2])
    result = score(rows, {answer["id"]: answer["spans"] for answer in found if "id" in answer})
    show = lambda value: "-" if value is None else f"{value:.3f}"
    for kind, one in sorted(result["per_type"].items(), key=lambda item: (item[0] not in CORE, item[0])) + [("CORE", result["core"]), ("OTHER", result["other"])]:
        print(f"{kind:<24}{one['gold']:>6}  P {show(one['p'])}  R {show(one['r'])}  F1 {show(one['f1'])}")
    for name in ("macro_f1", "false_per_1000", "false_person", "false_address", "false_other", "leak_nothing"):
        print(f"{name:<24}{result[name]:.3f}")


if __name__ == "__main__":
    main()
