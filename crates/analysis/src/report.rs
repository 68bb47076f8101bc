//! Reports: what a trail says of a period, for people who answer for it.
//!
//! [`ReportCounter`] is the first document's `generate_compliance_report`. Beside it stand the standards: a [`Standard`]
//! is a table of clauses, a clause names the [`Control`]s that bear on it, and a control is a few statements of SQL
//! whose answers are judged. Nothing else is known of the trail: whoever doubts a claim runs its statements.
//!
//! ```text
//! Standard -> Clause -> Control -plan-> Statements -(whoever can ask a trail)-> Answers -judge-> Assessment -> html
//! ```
//!
//! A verdict is EVIDENCED, GAP or NOT ASSESSED, never "compliant": that is for people to say.

mod assess;
mod assessment;
mod beats;
mod chart;
mod control;
mod drawn;
mod frame;
mod html;
mod person;
mod rules;
mod sample;
mod special;
mod standards;
mod steps;
mod summarised;
mod summary;

pub use assess::{Answer, Answers, Asked, Inquiry};
pub use assessment::{Assessment, Claim, ClauseFound, Counts, Query, Sample, Totals, Verdict, named};
pub use chart::{Anchor, Chart, Drawing, Form, Mark, Shape, Tone, Unit};
pub use control::{Control, On, Statement};
pub use frame::{Frame, Head, TrailState};
pub use html::{html, summary_html};
pub use person::Person;
pub use standards::{Clause, STANDARDS, Standard, standard};
pub use steps::{Step, Steps};
pub use summarised::{Figure, Summary};
pub use summary::{Period, Report, ReportCounter};
