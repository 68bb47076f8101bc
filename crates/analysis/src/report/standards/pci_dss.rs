//! PCI DSS 4.0.1, requirement 10 and the parts of requirement 3 and 7 that a trail bears on. Card data is the class `chd`.

use super::super::control::Control::{
    Beats, Complete, Joined, Kept, OfClass, PoliciesApproved, RolesDiffer, Rule, Witnessed,
};
use super::super::{beats, rules};
use super::{Clause, Standard};

pub(super) static STANDARD: Standard = Standard {
    name: "pci-dss",
    title: "PCI DSS 4.0.1, requirement 10 (log and monitor all access)",
    clauses: CLAUSES,
    of_person: &[],
};

const CHD: &str = "chd";
/// Twelve months.
const YEAR: i64 = 365;

static CLAUSES: &[Clause] = &[
    Clause {
        id: "3.3.1, 3.4.1",
        asks: "Sensitive authentication data is not kept, and card numbers are masked.",
        controls: &[Rule(&rules::DETECTED), Rule(&rules::PROTECTED)],
        beyond: "card data outside agents' calls; whether every number was detected",
    },
    Clause {
        id: "7.2",
        asks: "Access is defined by role, with least privilege, and reviewed every six months.",
        controls: &[RolesDiffer, Rule(&rules::RULED), Rule(&rules::ACCESS_REVIEWED)],
        beyond: "",
    },
    Clause {
        id: "10.2.1.1",
        asks: "Each individual's access to cardholder data is logged.",
        controls: &[OfClass(&rules::CLASS_ATTRIBUTED, CHD), Rule(&rules::ATTRIBUTED)],
        beyond: "resources that are not classified as `chd` in the configuration",
    },
    Clause {
        id: "10.2.1.2",
        asks: "What administrators do is logged.",
        controls: &[Rule(&rules::ADMIN), Rule(&rules::NODE_ADMIN)],
        beyond: "what is done on the machine itself",
    },
    Clause {
        id: "10.2.1.3",
        asks: "Access to audit logs is logged.",
        controls: &[Rule(&rules::AUDIT_READS)],
        beyond: "reads of the files by whoever has the machine",
    },
    Clause {
        id: "10.2.1.4",
        asks: "Invalid attempts at access are logged.",
        controls: &[Rule(&rules::DENIED), Rule(&rules::REFUSED_TOKENS)],
        beyond: "",
    },
    Clause {
        id: "10.2.1.5",
        asks: "Changes to credentials and to means of authentication are logged.",
        controls: &[Rule(&rules::KEYS), Rule(&rules::NODE_ADMIN)],
        beyond: "accounts at the identity provider",
    },
    Clause {
        id: "10.2.1.6",
        asks: "Starting, stopping and pausing of logs is logged.",
        controls: &[Rule(&rules::LIFECYCLE), Rule(&rules::UNRECORDED), Beats(&beats::NODE)],
        beyond: "",
    },
    Clause {
        id: "10.2.1.7",
        asks: "Creation and deletion of system-level objects is logged.",
        controls: &[PoliciesApproved, Rule(&rules::NODE_ADMIN)],
        beyond: "objects of other systems",
    },
    Clause {
        id: "10.2.2",
        asks: "Each entry says who, what kind, when, with what success, from where, and about what.",
        controls: &[Rule(&rules::FIELDS)],
        beyond: "",
    },
    Clause {
        id: "10.3.1, 10.3.2",
        asks: "Logs are read only by who needs to, and cannot be changed by individuals.",
        controls: &[Rule(&rules::AUDIT_READS), Complete],
        beyond: "who has the machine and the keys",
    },
    Clause {
        id: "10.3.3, 10.3.4",
        asks: "Logs are promptly backed up to where they are hard to change, and changes to them are noticed.",
        controls: &[Witnessed, Complete],
        beyond: "copies of the files (`greffier backup`)",
    },
    Clause {
        id: "10.4.1, 10.4.2",
        asks: "Logs are reviewed, daily where it matters, by automated means.",
        controls: &[Rule(&rules::REVIEWED), Rule(&rules::MONITORED), Beats(&beats::DETECTORS)],
        beyond: "",
    },
    Clause {
        id: "10.4.3",
        asks: "Exceptions that reviews find are addressed.",
        controls: &[Joined(&rules::BREAK_GLASS)],
        beyond: "what was done about findings",
    },
    Clause {
        id: "10.5.1",
        asks: "Logs are kept for twelve months, the last three at hand.",
        controls: &[Kept(YEAR)],
        beyond: "",
    },
    Clause {
        id: "10.6",
        asks: "Clocks are synchronised, and time settings are protected.",
        controls: &[Rule(&rules::CLOCK), Rule(&rules::IN_TIME)],
        beyond: "the time source itself",
    },
    Clause {
        id: "10.7.2, 10.7.3",
        asks: "Failures of logging are detected, and answered promptly.",
        controls: &[Beats(&beats::NODE), Rule(&rules::UNRECORDED), Joined(&rules::CALLS_END)],
        beyond: "what was done about them",
    },
];
