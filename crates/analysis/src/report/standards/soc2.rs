//! SOC 2: the trust services criteria (2017, points of focus of 2022) that a trail of agents' calls bears on.

use super::super::control::Control::{
    Beats, Complete, Joined, PoliciesApproved, RolesDiffer, Rule, Witnessed,
};
use super::super::{beats, rules};
use super::{Clause, Standard};

pub(super) static STANDARD: Standard = Standard {
    name: "soc2",
    title: "SOC 2, trust services criteria (2017, revised points of focus 2022)",
    clauses: CLAUSES,
    of_person: &[],
};

static CLAUSES: &[Clause] = &[
    Clause {
        id: "CC6.1",
        asks: "Logical access controls restrict who can use information assets: here, agents, models and tools.",
        controls: &[
            Rule(&rules::ATTRIBUTED),
            RolesDiffer,
            Rule(&rules::RULED),
            Rule(&rules::ENFORCED),
            Rule(&rules::DENIED),
        ],
        beyond: "whether the rules are the right ones",
    },
    Clause {
        id: "CC6.2, CC6.3",
        asks: "Access is granted, changed and removed by role, with least privilege, and reviewed.",
        controls: &[PoliciesApproved, Rule(&rules::ACCESS_REVIEWED), Joined(&rules::BREAK_GLASS)],
        beyond: "how people get and lose their roles at the identity provider",
    },
    Clause {
        id: "CC6.7",
        asks: "Transmission of information is restricted to authorised parties, and protected.",
        controls: &[Rule(&rules::PROTECTED), Rule(&rules::MODELS), Rule(&rules::EXPORTED)],
        beyond: "what leaves by ways that do not lead through the gateway",
    },
    Clause {
        id: "C1.1",
        asks: "Confidential information is identified and protected.",
        controls: &[Rule(&rules::DETECTED), Rule(&rules::PROTECTED)],
        beyond: "whether all confidential data was detected: no detector finds everything",
    },
    Clause {
        id: "CC6.8, CC8.1",
        asks: "Changes to software, policies and configuration are authorised and tracked.",
        controls: &[PoliciesApproved, Rule(&rules::NODE_ADMIN)],
        beyond: "tests and approvals before a change, outside this system",
    },
    Clause {
        id: "CC7.2",
        asks: "Systems are monitored for anomalies, and the monitoring itself runs.",
        controls: &[
            Beats(&beats::NODE),
            Rule(&rules::MONITORED),
            Beats(&beats::DETECTORS),
            Rule(&rules::LIFECYCLE),
            Rule(&rules::UNRECORDED),
        ],
        beyond: "whether alerts reached somebody who acted on them",
    },
    Clause {
        id: "CC7.3, CC7.4",
        asks: "Security events can be rebuilt, judged and answered.",
        controls: &[Joined(&rules::CALLS_END), Rule(&rules::TRACEABLE), Rule(&rules::ENFORCED)],
        beyond: "the incident response itself",
    },
    Clause {
        id: "CC4.1",
        asks: "Controls are evaluated on an ongoing basis, and deficiencies are followed up.",
        controls: &[Rule(&rules::REVIEWED), Complete],
        beyond: "what was done about what the reviews found",
    },
    Clause {
        id: "PI1.4, PI1.5",
        asks: "Records are complete, accurate, timely, and kept from change.",
        controls: &[Complete, Rule(&rules::IN_TIME), Rule(&rules::FIELDS), Witnessed],
        beyond: "",
    },
    Clause {
        id: "P4.3",
        asks: "Personal information is disposed of when it is to be.",
        controls: &[Joined(&rules::ERASURES_END), Rule(&rules::EXPIRED)],
        beyond: "personal information in other systems, and at the providers of models",
    },
    Clause {
        id: "A1.2",
        asks: "Data is backed up, and recovery is tested.",
        controls: &[],
        beyond: "backups leave no event on the trail: show `greffier backup` runs and restores by other means",
    },
];
