//! HIPAA: the Security Rule (45 CFR 164 subpart C) and accounting of disclosures, for data of class `phi`.

use super::super::control::Control::{
    Beats, Complete, Joined, Kept, OfClass, PoliciesApproved, RolesDiffer, Rule, Witnessed,
};
use super::super::{beats, rules};
use super::{Clause, Standard};

pub(super) static STANDARD: Standard = Standard {
    name: "hipaa",
    title: "HIPAA Security Rule and accounting of disclosures (45 CFR Part 164)",
    clauses: CLAUSES,
    of_person: &[],
};

/// Six years, leap days included.
const SIX_YEARS: i64 = 2_192;
const PHI: &str = "phi";

static CLAUSES: &[Clause] = &[
    Clause {
        id: "164.312(a)(1)",
        asks: "Only persons and software with access rights get at electronic protected health information.",
        controls: &[RolesDiffer, Rule(&rules::RULED), Rule(&rules::ENFORCED), Rule(&rules::DENIED)],
        beyond: "whether the rights are the right ones; access by other ways than agents",
    },
    Clause {
        id: "164.312(a)(2)(i)",
        asks: "Each user has a unique name or number by which they are tracked.",
        controls: &[OfClass(&rules::CLASS_ATTRIBUTED, PHI)],
        beyond: "whether people share their accounts at the identity provider",
    },
    Clause {
        id: "164.312(a)(2)(ii)",
        asks: "There is a procedure for access in an emergency, and its use is examined.",
        controls: &[Joined(&rules::BREAK_GLASS)],
        beyond: "the procedure itself",
    },
    Clause {
        id: "164.312(b)",
        asks: "Activity in systems that hold protected health information is recorded and examined.",
        controls: &[
            OfClass(&rules::CLASS_ATTRIBUTED, PHI),
            Rule(&rules::FIELDS),
            Joined(&rules::CALLS_END),
            Rule(&rules::UNRECORDED),
            Beats(&beats::NODE),
        ],
        beyond: "resources that are not classified as `phi` in the configuration",
    },
    Clause {
        id: "164.312(c)(1)",
        asks: "Records are protected from improper alteration and destruction.",
        controls: &[Complete, Witnessed],
        beyond: "the health records themselves",
    },
    Clause {
        id: "164.312(d)",
        asks: "Whoever seeks access is who they claim to be.",
        controls: &[Rule(&rules::ATTRIBUTED), Rule(&rules::REFUSED_TOKENS)],
        beyond: "how the identity provider authenticates people",
    },
    Clause {
        id: "164.308(a)(1)(ii)(D)",
        asks: "Records of activity are reviewed regularly.",
        controls: &[Rule(&rules::REVIEWED), Rule(&rules::AUDIT_READS)],
        beyond: "what came of the reviews",
    },
    Clause {
        id: "164.308(a)(3), (a)(4)",
        asks: "Access is authorised, established, changed and reviewed.",
        controls: &[PoliciesApproved, Rule(&rules::ACCESS_REVIEWED)],
        beyond: "clearance and termination of the workforce",
    },
    Clause {
        id: "164.308(a)(5)(ii)(C)",
        asks: "Attempts to log in are monitored, and discrepancies reported.",
        controls: &[Rule(&rules::REFUSED_TOKENS)],
        beyond: "log-ins at the identity provider",
    },
    Clause {
        id: "164.308(a)(6)(ii)",
        asks: "Security incidents are identified, answered and documented.",
        controls: &[Rule(&rules::MONITORED), Rule(&rules::TRACEABLE)],
        beyond: "the response itself",
    },
    Clause {
        id: "164.316(b)(2)(i)",
        asks: "Required documentation is kept for six years; trails are usually counted as such.",
        controls: &[Kept(SIX_YEARS), Rule(&rules::EXPIRED)],
        beyond: "all other documentation",
    },
    Clause {
        id: "164.528",
        asks: "Disclosures of a person's health information can be accounted for, six years back.",
        controls: &[OfClass(&rules::CLASS_SUBJECTS, PHI), Rule(&rules::MODELS)],
        beyond: "the purpose of a disclosure, and those outside the gateway",
    },
];
