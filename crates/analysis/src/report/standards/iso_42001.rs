//! ISO/IEC 42001:2023, the controls of its Annex A and the clauses that a trail bears on.

use super::super::control::Control::{
    Beats, Complete, Joined, PoliciesApproved, RolesDiffer, Rule, Witnessed,
};
use super::super::{beats, rules};
use super::{Clause, Standard};

pub(super) static STANDARD: Standard = Standard {
    name: "iso-42001",
    title: "ISO/IEC 42001:2023, AI management system",
    clauses: CLAUSES,
    of_person: &[],
};

static CLAUSES: &[Clause] = &[
    Clause {
        id: "A.6.2.6",
        asks: "Operation of AI systems is monitored, and the means for it are defined.",
        controls: &[
            Rule(&rules::USED),
            Rule(&rules::MONITORED),
            Beats(&beats::DETECTORS),
            Beats(&beats::NODE),
        ],
        beyond: "performance of models beyond errors and durations",
    },
    Clause {
        id: "A.6.2.8",
        asks: "Event logs are kept in the phases of the life cycle that were chosen, at least while systems are in use.",
        controls: &[
            Rule(&rules::SYSTEMS),
            Rule(&rules::UNREPORTED),
            Rule(&rules::UNRECORDED),
            Joined(&rules::CALLS_END),
            Complete,
        ],
        beyond: "agents that nobody registered, and that leave no events",
    },
    Clause {
        id: "A.7.5",
        asks: "The provenance of data is recorded.",
        controls: &[Rule(&rules::PROCESSING)],
        beyond: "data that models were trained on",
    },
    Clause {
        id: "A.8.4",
        asks: "Incidents are communicated.",
        controls: &[Rule(&rules::TRACEABLE)],
        beyond: "the communication",
    },
    Clause {
        id: "A.9.2, A.9.4",
        asks: "AI systems are used as intended, by processes for responsible use.",
        controls: &[RolesDiffer, Rule(&rules::RULED), Rule(&rules::ENFORCED), Rule(&rules::OVERSIGHT)],
        beyond: "what the intended use is",
    },
    Clause {
        id: "A.10.3",
        asks: "Suppliers and their services are known.",
        controls: &[Rule(&rules::MODELS)],
        beyond: "agreements with suppliers",
    },
    Clause {
        id: "7.5",
        asks: "Documented information is controlled: its changes, its protection, its retention.",
        controls: &[PoliciesApproved, Rule(&rules::NODE_ADMIN), Witnessed],
        beyond: "documents outside the trail",
    },
    Clause {
        id: "9.1",
        asks: "Performance is monitored, measured and evaluated.",
        controls: &[Rule(&rules::USED), Rule(&rules::REVIEWED)],
        beyond: "the goals that it is measured by",
    },
    Clause {
        id: "9.2, 9.3",
        asks: "There are internal audits and reviews by management.",
        controls: &[Rule(&rules::REVIEWED), Rule(&rules::ACCESS_REVIEWED)],
        beyond: "the audit programme",
    },
    Clause {
        id: "10.2",
        asks: "What does not conform is corrected.",
        controls: &[],
        beyond: "corrective action is for people to show",
    },
];
