use super::*;
use crate::SAMPLE_POLICIES;

fn files(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Either the policies with their places, or every problem with its own.
fn check(given: &[(&str, &str)]) -> String {
    match Policies::load(files(given)) {
        Ok(policies) => {
            let places = policies
                .places()
                .iter()
                .map(|(id, at)| format!("{}:{}:{} {id}\n", at.file, at.line, at.column));
            let warnings = policies.warnings().iter().map(|warning| format!("warning: {warning}\n"));
            places.chain(warnings).collect()
        }
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn the_samples_load() {
    insta::assert_snapshot!(check(SAMPLE_POLICIES), @"
    trails.cedar:6:1 a trail is for its own tenant
    tools.cedar:3:1 role:analyst may call any configured tool
    models.cedar:6:1 role:analyst may invoke any model
    trails.cedar:29:1 role:analyst may read the trail of its tenant and add events to it
    trails.cedar:21:1 role:auditor may read and export the trail of its tenant
    tools.cedar:6:1 role:operator may call any configured tool
    models.cedar:9:1 role:operator may invoke any model
    trails.cedar:46:1 role:operator may manage the node and read its own trail
    trails.cedar:37:1 role:operator may read its tenant's trail, add events to it and approve calls
    trails.cedar:62:1 role:privacy may read the trail of its tenant and erase from it
    trails.cedar:54:1 roles auditor, operator and privacy may attest on the trail of their tenant
    ");
}

/// What the samples' comments suggest must work when the comment signs are taken away.
#[test]
fn the_samples_advice_loads() {
    let uncomment = |(name, text): &(&'static str, &'static str)| {
        let (_, advice) = text.split_once(":\n//\n")?;
        let text =
            advice.lines().map(|line| line.trim_start_matches('/').to_owned() + "\n").collect::<String>();
        text.contains("@id").then_some((*name, text))
    };
    let advice: Vec<(&str, String)> = SAMPLE_POLICIES.iter().filter_map(uncomment).collect();
    let advice: Vec<(&str, &str)> = advice.iter().map(|(name, text)| (*name, text.as_str())).collect();
    insta::assert_snapshot!(check(&advice), @r#"
        models.cedar:1:2 background agents use small models only
        tools.cedar:5:2 nobody exports contacts in bulk
        models.cedar:6:2 prompts with a card number stay in the house
        tools.cedar:1:2 role:analyst grants tool:crm:read
        tools.cedar:9:2 services call tools from our network only
        "#);
}

#[test]
fn the_designs_example_loads() {
    let text = r#"@id("role:analyst grants tool:crm:read")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"crm")
when { context.scopes.contains("tool:crm:read") };"#;
    insta::assert_snapshot!(check(&[("crm.cedar", text)]), @"crm.cedar:1:1 role:analyst grants tool:crm:read");
}

#[test]
fn nothing_is_a_valid_set() {
    insta::assert_snapshot!(check(&[]), @"");
}

#[test]
fn what_is_wrong_and_where() {
    insta::assert_snapshot!(check(&[
        ("a.cedar", "// one\n  permit (principal, action, resource);\n"),
        ("b.cedar", "@id(\"same\") permit (principal, action, resource);\n\n@id(\"same\") forbid (principal, action, resource);"),
        ("c.cedar", "@id(\"same\") permit (principal, action, resource);"),
        ("d.cedar", "@id(\"\") permit (principal, action, resource);@id(\" x\") permit (principal, action, resource);"),
        ("e.cedar", "@id(\"template\") permit (principal == ?principal, action, resource);"),
        ("f.cedar", "@id(\"ünfinished\") permit (principal, action, resource) when { true "),
        ("g.cedar", "@id(\"typo\") permit (principal in Rolle::\"x\", action == Action::\"cal_tool\", resource);"),
        ("h.cedar", "@id(\"attribute\")\npermit (principal, action, resource)\nwhen { context.scope.contains(\"x\") };"),
        ("i.cedar", "@id(\"tier may be absent\") permit (principal, action, resource) when { context.tier == \"x\" };"),
        ("j.cedar", "@id(\"get without has\") permit (principal, action, resource) when { context.parameters.getTag(\"x\") == \"x\" };"),
        ("k.cedar", "@id(\"type\") permit (principal, action, resource) when { context.agent > 1 };"),
    ]), @r#"
    a.cedar:2:3: the policy has no @id: give it one that reads as a sentence
    b.cedar:3:1: the @id "same" is taken by the policy at b.cedar:1
    c.cedar:1:1: the @id "same" is taken by the policy at b.cedar:1
    d.cedar:1:1: the @id must be plain text of 1 to 200 bytes without spaces at its ends
    d.cedar:1:46: the @id must be plain text of 1 to 200 bytes without spaces at its ends
    e.cedar:1:1: templates are not supported: write the policy out for each case
    f.cedar:1:67: unexpected end of input
    g.cedar:1:34: for policy `typo`, unrecognized entity type `Rolle` (did you mean `Role`?)
    g.cedar:1:56: for policy `typo`, unrecognized action `Action::"cal_tool"` (did you mean `Action::"call_tool"`?)
    h.cedar:3:8: for policy `attribute`, attribute `scope` in context for Action::"approve" not found (did you mean `scopes`?); and 9 more like it
    i.cedar:1:71: for policy `tier may be absent`, unable to guarantee safety of access to optional attribute `tier` in context for Action::"approve" (try testing for the attribute's presence with `context has tier && ..`); and 9 more like it
    j.cedar:1:68: for policy `get without has`, unable to guarantee safety of access to tag `"x"` on entity type `Parameters` (try testing for the tag's presence with `.hasTag("x") && ..`)
    k.cedar:1:57: for policy `type`, unexpected type: expected Long but saw String
    "#);
}

#[test]
fn what_is_allowed_but_not_meant() {
    insta::assert_snapshot!(check(&[
        ("a.cedar", "@id(\"never\")\npermit (principal, action == Action::\"call_tool\", resource is Trail);"),
    ]), @r#"
        a.cedar:1:1 never
        warning: a.cedar:1:1: for policy `never`, unable to find an applicable action given the policy scope constraints
        warning: a.cedar:1:1: for policy `never`, policy is impossible: the policy expression evaluates to false for all valid requests
        "#);
}

#[test]
fn bounds() {
    let policy = |n: usize| format!("@id(\"{n}\") permit (principal, action, resource);\n");
    let many = |n: usize| (0..n).map(policy).collect::<String>();
    assert!(Policies::load(files(&[("a", &many(MAX_POLICIES))])).is_ok());
    insta::assert_snapshot!(check(&[("a", &many(MAX_POLICIES + 1))]), @"a:1001:1: more than 1000 policies");
    insta::assert_snapshot!(check(&[("a", &" ".repeat(MAX_BYTES)), ("b", " ")]), @"b:1:1: the policy files are larger than 1048576 bytes together");
    insta::assert_snapshot!(check(&[("a", ""), ("a", "")]), @"a:1:1: two policy files have this name");
    let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("{n:03}")).collect();
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    insta::assert_snapshot!(check(&empty), @"256:1:1: more than 256 policy files");
    assert!(Policies::load(files(&empty[..MAX_FILES])).is_ok());
}

#[test]
fn the_digest_tells_sets_apart_and_not_orders() {
    let digest = |given: &[(&str, &str)]| Policies::load(files(given)).unwrap().digest().to_owned();
    let base = digest(&[("a", "// b"), ("c", "")]);
    assert_eq!(base, digest(&[("c", ""), ("a", "// b")]));
    for other in [
        &[("a", "// b")][..],
        &[("a", "// b\n"), ("c", "")],
        &[("b", "// b"), ("c", "")],
        &[("a", ""), ("c", "// b")],
    ] {
        assert_ne!(base, digest(other));
    }
    // Frozen: records name sets by it. The SHA-256 of (u64 1, "a", u64 4, "// b", u64 1, "c", u64 0).
    insta::assert_snapshot!(base, @"sha256:44e43bd97bf4fd4a7f88b67ef93131d6970d0e984a724ae253b82db7c6d36d83");
}

#[test]
fn who_reads_arguments() {
    let reads = |condition: &str| {
        let text = format!("@id(\"x\") permit (principal, action, resource) when {{ {condition} }};");
        Policies::load(files(&[("a", &text)])).unwrap().reads_parameters
    };
    assert!(reads(r#"context.parameters.hasTag("q")"#));
    assert!(reads(r#"context["par\u{61}meters"].hasTag("q")"#));
    assert!(!reads(r#"context.agent == "x""#));
}
