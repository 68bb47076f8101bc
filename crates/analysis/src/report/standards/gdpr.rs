//! GDPR: Regulation (EU) 2016/679, as far as a trail of processing by agents can be evidence.

use super::super::control::Control::{
    Beats, Complete, Joined, OfClass, PoliciesApproved, RolesDiffer, Rule, Witnessed,
};
use super::super::{beats, person, rules};
use super::{Clause, Standard};

pub(super) static STANDARD: Standard = Standard {
    name: "gdpr",
    title: "General Data Protection Regulation (EU) 2016/679",
    clauses: CLAUSES,
    of_person: person::CLAUSES,
};

static CLAUSES: &[Clause] = &[
    Clause {
        id: "Art. 5(1)(c)",
        asks: "No more personal data is processed than is needed.",
        controls: &[Rule(&rules::PROTECTED), Rule(&rules::DETECTED)],
        beyond: "what is needed for the purpose; whether all personal data was detected",
    },
    Clause {
        id: "Art. 5(1)(e)",
        asks: "Personal data is kept no longer than is needed.",
        controls: &[Rule(&rules::EXPIRED), Joined(&rules::ERASURES_END)],
        beyond: "which periods are the right ones (`greffier retention` shows the configured ones)",
    },
    Clause {
        id: "Art. 5(1)(f), 5(2)",
        asks: "Data is kept safe and whole, and that can be demonstrated.",
        controls: &[Complete, Witnessed, Rule(&rules::UNRECORDED)],
        beyond: "",
    },
    Clause {
        id: "Art. 15",
        asks: "A person gets to know what is processed about them, and who received it.",
        controls: &[
            OfClass(&rules::CLASS_SUBJECTS, "pii"),
            OfClass(&rules::CLASS_SUBJECTS, "phi"),
            Rule(&rules::EXPORTED),
        ],
        beyond: "the answer to the person: `greffier subject` gathers what is held about one",
    },
    Clause {
        id: "Art. 17",
        asks: "Personal data is erased when a person may ask for it.",
        controls: &[Joined(&rules::ERASURES_END), Rule(&rules::ERASED), Complete],
        beyond: "data in other systems, backups of keys, and what providers of models keep",
    },
    Clause {
        id: "Art. 28, 44",
        asks: "Processors and transfers to other countries are known.",
        controls: &[Rule(&rules::MODELS)],
        beyond: "contracts, and where a provider processes: the trail knows no region",
    },
    Clause {
        id: "Art. 30",
        asks: "There is a record of processing: by which agent, which categories of data, to which recipients.",
        controls: &[Rule(&rules::PROCESSING), Rule(&rules::MODELS), Rule(&rules::SYSTEMS)],
        beyond: "purposes, legal bases, and categories that are not configured",
    },
    Clause {
        id: "Art. 32(1)(a)",
        asks: "Personal data is pseudonymised and encrypted where that fits.",
        controls: &[Rule(&rules::PROTECTED)],
        beyond: "contents are always sealed under a key of their own at rest, and subjects stand as keyed references: that is design, and no figure",
    },
    Clause {
        id: "Art. 32(1)(b), (d)",
        asks: "Confidentiality and integrity of processing are ensured, and tested regularly.",
        controls: &[
            RolesDiffer,
            Rule(&rules::ATTRIBUTED),
            Rule(&rules::ENFORCED),
            PoliciesApproved,
            Rule(&rules::ACCESS_REVIEWED),
            Beats(&beats::NODE),
        ],
        beyond: "tests of the organisation's measures",
    },
    Clause {
        id: "Art. 33",
        asks: "A breach is notified within 72 hours, with whom it concerns.",
        controls: &[Rule(&rules::TRACEABLE), Rule(&rules::MONITORED)],
        beyond: "the notification",
    },
    Clause {
        id: "Art. 35",
        asks: "Risky processing is assessed beforehand.",
        controls: &[],
        beyond: "the assessment is a document of people",
    },
];
