//! The rules of the demo's two organisations. The `@id` of the policy that decides stands in the record, so each
//! reads as a sentence.

use greffier_policy::SAMPLE_POLICIES;

pub(super) const PHYSICIANS_READ: &str = "physicians may open records";
pub(super) const PHYSICIANS_WRITE: &str = "physicians may add notes";
pub(super) const BILLING_NOT: &str = "billing clerks may not open records";
pub(super) const BILLING_INVOICES: &str = "billing clerks may read invoices";
pub(super) const HOSPITAL_MODELS: &str = "staff and agents of the hospital may ask models";
pub(super) const SALES_MODELS: &str = "the sales team and its agents may ask models";
pub(super) const SMALL_MODELS: &str = "background agents use small models only";
pub(super) const NO_CARDS: &str = "prompts with a card number stay in the house";
pub(super) const SALES_READ: &str = "the sales team may search contacts and read deals";
pub(super) const MANAGERS_EXPORT: &str = "sales managers may export contacts";
pub(super) const NOBODY_ELSE_EXPORTS: &str = "nobody but sales managers may export contacts";

const HOSPITAL: &str = r#"// The hospital: who may open what.

@id("physicians may open records")
permit (principal in Role::"physician", action == Action::"call_tool", resource in Server::"ehr")
when { principal in Tenant::"st-elisabeth" && context.scopes.contains("tool:ehr:read") }
unless { resource == Tool::"ehr:notes" && context.parameters.hasTag("text") };

@id("physicians may add notes")
permit (principal in Role::"physician", action == Action::"call_tool", resource == Tool::"ehr:notes")
when {
  principal in Tenant::"st-elisabeth" &&
  context.scopes.contains("tool:ehr:write") &&
  context.parameters.hasTag("text")
};

@id("billing clerks may read invoices")
permit (principal in Role::"billing_clerk", action == Action::"call_tool", resource == Tool::"ehr:invoices")
when { principal in Tenant::"st-elisabeth" };

@id("billing clerks may not open records")
forbid (principal in Role::"billing_clerk", action == Action::"call_tool", resource in Server::"ehr")
unless { resource == Tool::"ehr:invoices" };
"#;

const SALES: &str = r#"// The sales team: who may search, and who may take contacts away.

@id("the sales team may search contacts and read deals")
permit (principal, action == Action::"call_tool", resource in Server::"crm")
when { principal in Tenant::"northwind-sales" && context.scopes.contains("tool:crm:read") }
unless { resource == Tool::"crm:contacts:export" };

@id("sales managers may export contacts")
permit (
  principal in Role::"sales_manager",
  action == Action::"call_tool",
  resource == Tool::"crm:contacts:export"
)
when { principal in Tenant::"northwind-sales" && context.scopes.contains("tool:crm:export") };

@id("nobody but sales managers may export contacts")
forbid (principal, action == Action::"call_tool", resource == Tool::"crm:contacts:export")
unless { principal in Role::"sales_manager" };
"#;

const MODELS: &str = r#"// Models: who may ask them, and what must not reach them.

@id("staff and agents of the hospital may ask models")
permit (principal in Tenant::"st-elisabeth", action == Action::"invoke_model", resource);

@id("the sales team and its agents may ask models")
permit (principal in Tenant::"northwind-sales", action == Action::"invoke_model", resource);

@id("background agents use small models only")
forbid (principal, action == Action::"invoke_model", resource)
when { context has tier && context.tier == "background" }
unless { resource == Model::"gpt-4o-mini" || resource == Model::"claude-haiku-4-5" };

@id("prompts with a card number stay in the house")
forbid (principal, action == Action::"invoke_model", resource)
when { context.findings.contains("CREDIT_CARD") };
"#;

const RECORDER: &str = r#"// Agents elsewhere, that report what they did themselves.

@id("reporting agents may add events to the trail of their tenant")
permit (principal in Role::"recorder", action == Action::"ingest", resource)
when { principal in resource.tenant };
"#;

/// Files and texts: our own, and from the samples of `init` those on who may read a trail.
pub(super) fn files() -> Vec<(&'static str, &'static str)> {
    let own = [
        ("hospital.cedar", HOSPITAL),
        ("sales.cedar", SALES),
        ("models.cedar", MODELS),
        ("recorder.cedar", RECORDER),
    ];
    own.into_iter()
        .chain(SAMPLE_POLICIES.iter().copied().filter(|(name, _)| *name == "trails.cedar"))
        .collect()
}

#[cfg(test)]
mod tests {
    use greffier_policy::Policies;

    use super::*;

    #[test]
    fn they_are_valid_and_hold_every_rule_that_the_script_names() {
        let files = files().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let policies = Policies::load(files).unwrap();
        assert!(policies.warnings().is_empty(), "{:?}", policies.warnings());
        let named = [
            PHYSICIANS_READ,
            PHYSICIANS_WRITE,
            BILLING_NOT,
            BILLING_INVOICES,
            HOSPITAL_MODELS,
            SALES_MODELS,
            SMALL_MODELS,
            NO_CARDS,
            SALES_READ,
            MANAGERS_EXPORT,
            NOBODY_ELSE_EXPORTS,
        ];
        for rule in named {
            assert!(policies.places().contains_key(rule), "{rule}");
        }
    }
}
