//! Native, flat and governed documents, from outside and our own.
#![no_main]

use greffier_event::{EventId, Form, Reading, Tenant, Trust};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let tenant = Tenant::new("org_acme_corp").expect("a tenant");
    for form in Form::ALL {
        for trust in [Trust::Outside, Trust::Own] {
            let reading =
                Reading { tenant: &tenant, id: EventId(uuid::Uuid::nil()), channel: "import", trust };
            if let Ok(draft) = form.read(text, &reading) {
                let _ = form.write(&draft.event, &draft.parts);
            }
        }
    }
});
