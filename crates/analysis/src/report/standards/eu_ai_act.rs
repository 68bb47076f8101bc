//! EU AI Act: Regulation (EU) 2024/1689, record-keeping and oversight of high-risk systems.

use super::super::control::Control::{Beats, Complete, Joined, Kept, PoliciesApproved, Rule, Witnessed};
use super::super::{beats, rules};
use super::{Clause, Standard};

pub(super) static STANDARD: Standard = Standard {
    name: "eu-ai-act",
    title: "EU AI Act, Regulation (EU) 2024/1689: records, oversight, monitoring",
    clauses: CLAUSES,
    of_person: &[],
};

/// Six months.
const HALF_A_YEAR: i64 = 183;

static CLAUSES: &[Clause] = &[
    Clause {
        id: "Art. 12(1)",
        asks: "The system logs events automatically over its lifetime.",
        controls: &[Rule(&rules::SYSTEMS), Rule(&rules::USED), Rule(&rules::UNRECORDED), Beats(&beats::NODE)],
        beyond: "systems that do not go through the gateway and report nothing",
    },
    Clause {
        id: "Art. 12(2)",
        asks: "Logs make it possible to find risks, to follow up after placing on the market, and to monitor operation.",
        controls: &[Rule(&rules::TRACEABLE), Joined(&rules::CALLS_END), Rule(&rules::MONITORED)],
        beyond: "the risk management itself",
    },
    Clause {
        id: "Art. 12(3)",
        asks: "Remote biometric identification: period of each use, reference data, matches, and the persons who verified them.",
        controls: &[],
        beyond: "only for Annex III 1(a): sessions and resources are on the trail, verification by people is for the integrator to report",
    },
    Clause {
        id: "Art. 14, 26(2)",
        asks: "People oversee the system, and can intervene and stop it.",
        controls: &[Rule(&rules::OVERSIGHT), Rule(&rules::DENIED)],
        beyond: "whether those people are competent, trained, and have the authority",
    },
    Clause {
        id: "Art. 15(4), (5)",
        asks: "The system is robust, and protected from manipulation.",
        controls: &[Rule(&rules::ENFORCED), PoliciesApproved],
        beyond: "accuracy and robustness of models",
    },
    Clause {
        id: "Art. 17(1)(k)",
        asks: "Records are kept, whole and safe from change.",
        controls: &[Complete, Witnessed],
        beyond: "",
    },
    Clause {
        id: "Art. 19(1), 26(6)",
        asks: "Provider and deployer keep the logs for six months at least.",
        controls: &[Kept(HALF_A_YEAR), Rule(&rules::EXPIRED)],
        beyond: "longer periods of other law",
    },
    Clause {
        id: "Art. 26(5)",
        asks: "The deployer monitors operation, and informs of risks and incidents.",
        controls: &[Rule(&rules::REVIEWED), Rule(&rules::MONITORED)],
        beyond: "the information itself",
    },
    Clause {
        id: "Art. 50",
        asks: "People are told that they deal with an AI system, and synthetic content is marked.",
        controls: &[],
        beyond: "what a user is shown is not on the trail unless the integrator reports it",
    },
    Clause {
        id: "Art. 72, 73",
        asks: "There is monitoring after placing on the market, and serious incidents are reported.",
        controls: &[Rule(&rules::MONITORED), Rule(&rules::TRACEABLE)],
        beyond: "the plan, and the reports",
    },
];
