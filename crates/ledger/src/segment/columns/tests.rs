use super::*;

#[test]
fn the_table_is_the_schema() {
    let fields = schema()
        .fields()
        .iter()
        .map(|field| {
            let null = if field.is_nullable() { "?" } else { "" };
            format!("{}: {}{null}\n", field.name(), field.data_type())
        })
        .collect::<String>();
    insta::assert_snapshot!(fields, @r#"
    index: Int64
    id: Utf8?
    time: Timestamp(µs, "UTC")?
    recorded_at: Timestamp(µs, "UTC")?
    type: Utf8?
    tenant: Utf8?
    request_id: Utf8?
    session_id: Utf8?
    trace_id: Utf8?
    span_id: Utf8?
    user_sub: Utf8?
    user_iss: Utf8?
    user_roles: List(Utf8)?
    user_verified: Boolean?
    agent_id: Utf8?
    agent_version: Utf8?
    agent_tier: Utf8?
    agent_verified: Boolean?
    agent_via: List(Utf8)?
    action_name: Utf8?
    action_kind: Utf8?
    action_effect: Utf8?
    action_method: Utf8?
    call_id: Utf8?
    resource_uri: Utf8?
    resource_classification: List(Utf8)?
    resource_subjects: List(Utf8)?
    decision: Utf8?
    rule: Utf8?
    reason: Utf8?
    policy_version: Utf8?
    scopes: List(Utf8)?
    pii_detected: Boolean?
    redaction_types: List(Utf8)?
    redaction_count: Int64?
    provider: Utf8?
    model: Utf8?
    input_tokens: Int64?
    output_tokens: Int64?
    cache_read_tokens: Int64?
    cache_write_tokens: Int64?
    cost_micros: Int64?
    status: Utf8?
    code: Int64?
    error: Utf8?
    duration_us: Int64?
    attempts: Int64?
    channel: Utf8?
    node: Utf8?
    ip: Utf8?
    client: Utf8?
    protocol: Utf8?
    oauth_client: Utf8?
    part_names: List(Utf8)?
    entry: Binary
    "#);
}
