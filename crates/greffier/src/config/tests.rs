use super::*;

fn load(text: &str, overrides: &[(&str, &str)]) -> Result<Config, Problems> {
    let overrides = overrides.iter().map(|(name, value)| (format!("GREFFIER__{name}"), (*value).to_owned()));
    Config::parse(Path::new("greffier.toml"), Path::new("/etc/greffier"), text, &overrides.collect())
}

/// The problems of a text, one a line.
fn problems(text: &str, overrides: &[(&str, &str)]) -> String {
    load(text, overrides).map_or_else(|problems| problems.to_string(), |_| "no problems".to_owned())
}

#[test]
fn nothing_is_a_configuration() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:4180");
    assert_eq!(config.data, Path::new("/etc/greffier/greffier-data"));
    insta::assert_snapshot!(config.text, @r#"
    listen = "127.0.0.1:4180"
    proxy_ends_tls = false
    data = "greffier-data"
    keys = "greffier-keys"
    origin = "greffier.local"
    node = "node-1"
    origins = []
    pins = "greffier-pins"
    on_record_failure = "refuse"
    issuer = []
    upstream = []
    tool = []
    mcp = []
    witness = []
    webhook = []

    [policy]
    dir = "policies"

    [safety]
    default = "redact"
    tools = "flag"

    [safety.rules]

    [safety.tool_rules]

    [server]
    body = "32MiB"
    connections = 1024
    header_timeout = "15s"
    body_idle_timeout = "30s"
    drain = "20s"

    [query]
    rows = 10000
    bytes = "32MiB"
    timeout = "30s"
    memory = "256MiB"
    concurrent = 4
    pushdown = true
    ngram_index = false

    [ledger]
    segment_age = "24h"
    wal = "1GiB"

    [anchor]
    every = "5s"
    stale_after = "10m"
    require = []

    [retention]
    shorten_after = "7d"

    [retention.classes]

    [findings]
    record = true
    positions = "greffier-webhooks"

    [prices]
    "#);
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let text = SAMPLE.replace("rules = {}", "rules = { US_SSN = \"block\" }");
    let shown = load(&text, &[("NODE", "gw-7")]).unwrap().text;
    assert_eq!(load(&shown, &[]).unwrap().text, shown);
}

#[test]
fn the_sample_says_the_defaults() {
    let without_upstreams = |config: Config| config.text.split("[[upstream]]").next().unwrap().to_owned();
    let sample = without_upstreams(load(SAMPLE, &[]).unwrap());
    for line in without_upstreams(load("", &[]).unwrap()).lines().filter(|line| !line.starts_with("upstream"))
    {
        assert!(sample.contains(line), "{line}");
    }
    let config = load(SAMPLE, &[]).unwrap();
    assert_eq!(format!("{:?}", config.limits), format!("{:?}", Limits::default()));
    assert_eq!(format!("{:?}", config.query), format!("{:?}", greffier_query::Limits::default()));
    assert_eq!(config.seal, SealPolicy::default());
}

#[test]
fn unknown_keys_have_a_place_and_a_suggestion() {
    let text = "lisen = \"x\"\n[safety]\ndefualt = \"redact\"\n[[upstream]]\napi_key = \"sk-live-1\"\nname = \"a\"\n\
                kind = \"openai\"\nbase_url = \"http://a\"\nmodels = [\"*\"]\nzzz = 1\n[query]\npush_down = 1\n\
                [ledger]\nsegments = 7\n";
    insta::assert_snapshot!(problems(text, &[("SERVER__BODDY", "1MiB")]), @r"
        greffier.toml:1:1: unknown key `lisen`: did you mean `listen`?
        greffier.toml:3:1: unknown key `defualt` in `safety`: did you mean `default`?
        greffier.toml:5:1: unknown key `api_key` in `upstream`: secrets do not stand here, name their source with `api_key_env` or `api_key_file`
        greffier.toml:6:8: the upstream needs its key: add `api_key_env` or `api_key_file`
        greffier.toml:10:1: unknown key `zzz` in `upstream`: expected one of name, kind, base_url, api_key_env, api_key_file, models, timeout, idle_timeout, reach
        greffier.toml:12:1: unknown key `push_down` in `query`: did you mean `pushdown`?
        greffier.toml:14:1: unknown key `segments` in `ledger`: did you mean `segment_age`?
        environment variable GREFFIER__SERVER__BODDY: unknown key `boddy` in `server`: did you mean `body`?
    ");
}

#[test]
fn what_is_not_built_says_so() {
    let text = "data = \"s3://bucket\"\n[[mcp]]\nname = \"crm\"\n[[limit]]\n\
                [retention]\nentries = \"7y\"\n[privacy]\n";
    insta::assert_snapshot!(problems(text, &[]), @r"
        greffier.toml:1:8: object stores are not built yet: name a folder
        greffier.toml:3:8: an MCP server needs either `url` or `command`
        greffier.toml:4:3: `limit` is not built yet: limits on calls, tokens and cost
        greffier.toml:7:2: `privacy` is not built yet: identities as references
    ");
}

#[test]
fn broken_toml_and_wrong_types_never_show_the_value() {
    for text in [
        "listen = \n",
        "listen = \"127.0.0.1:1\"\nlisten = \"sk-live-1\"\n",
        "node = 7\n",
        "[[upstream]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://a\"\nmodels = \"sk-live-1\"\n",
        "upstream = \"sk-live-1\"\n",
        "safety = [\"sk-live-1\"]\n",
        "safety = \"sk-live-1\"\n",
        "[server]\nconnections = -1\n",
        "[server]\nconnections = \"sk-live-1\"\n",
    ] {
        let found = problems(text, &[]);
        assert!(!found.contains("sk-live-1") && found.contains("greffier.toml:"), "{found}");
    }
    insta::assert_snapshot!(problems("node = 7\n", &[]), @"greffier.toml:1:8: expected a string, found integer");
    insta::assert_snapshot!(problems("[[upstream]]\nname = \"a\"\n", &[]), @"greffier.toml:1:1: missing field `kind`");
    insta::assert_snapshot!(problems("tool = [\"sk-live-1\"]\n", &[]), @r"
        greffier.toml:1:9: expected a section: `[[tool]]`
        greffier.toml:1:9: expected a section, found string
    ");
}

#[test]
fn beyond_loopback() {
    let issuer = "[[issuer]]\nurl = \"https://idp.example\"\naudience = \"a\"\ntenants = [\"t\"]\n";
    insta::assert_snapshot!(problems("listen = \"0.0.0.0:4180\"\n", &[]), @r"
        greffier.toml:1:10: beyond loopback tokens must not travel in the clear: add [tls], or let a proxy end TLS in front of it and write `proxy_ends_tls = true`
        greffier.toml:1:10: the development issuer is for loopback only: add an [[issuer]]
    ");
    let good = format!("listen = \"0.0.0.0:4180\"\nproxy_ends_tls = true\n{issuer}");
    assert_eq!(problems(&good, &[]), "no problems");
    assert_eq!(problems("listen = \"[::ffff:127.0.0.1]:4180\"\n", &[]), "no problems");
}

#[test]
fn values_are_checked() {
    let text = r#"
listen = "localhost:4180"
keys = "greffier-data/../greffier-data/keys"
origin = "with space"
node = "../x"
on_record_failure = "ignore"
[[issuer]]
url = "http://idp.example"
audience = ""
tenants = ["greffier"]
claims = { tenant = "org_id" }
[[issuer]]
url = "https://two.example"
audience = "a"
tenants = ["a", "b"]
[[upstream]]
name = "a"
kind = "opnai"
base_url = "ftp://x"
models = []
timeout = "soon"
[[upstream]]
name = "a"
kind = "openai"
base_url = "https://user:pass@x/"
api_key_env = "sk-live-1"
api_key_file = "f"
models = ["*"]
[[upstream]]
name = "b"
kind = "openai"
base_url = "https://x/v1?key=1"
api_key_env = "sk-live-1"
models = ["*"]
[[tool]]
name = "a b"
base_url = "http://x"
resource = "policy://{path}"
subject = "{patient}"
classification = ["p h i"]
credential_header = "host"
credential_env = "X"
[[tool]]
name = "t"
base_url = "http://x"
resource = "ehr:{path}{other}"
credential_header = "x-key"
[safety]
default = "hide"
rules = { US_SNN = "block", us_ssn = "flag", US_SSN = "flag" }
[server]
body = "3 GB"
connections = 0
drain = "0s"
[policy]
dir = ""
[query]
rows = 0
bytes = "2GiB"
timeout = "0s"
memory = "much"
concurrent = 65
[ledger]
segment_age = "60d"
wal = "64KiB"
entries = 65537
"#;
    let found = problems(text, &[]);
    insta::assert_snapshot!(found, @r#"
        greffier.toml:2:10: expected an address and a port, as in "127.0.0.1:4180" or "[::1]:4180"
        greffier.toml:3:8: the keys must not lie inside the data directory: choose another folder
        greffier.toml:4:10: expected a name without spaces and `+`, as in "audit.example.com"
        greffier.toml:5:8: expected 1 to 64 letters, digits, `.`, `_` or `-`
        greffier.toml:6:21: expected `refuse` or `continue`
        greffier.toml:8:7: expected an https URL (http on loopback only), or keys by `jwks_file`
        greffier.toml:9:12: expected our name, as tokens carry it in `aud`
        greffier.toml:10:11: `greffier` is reserved for the node's own trail
        greffier.toml:11:21: expected a JSON pointer that starts with `/`, as in `/org_id`, of at most 256 bytes
        greffier.toml:15:11: with more than one tenant the tokens must say which: add `claims = { tenant = "/…" }`
        greffier.toml:17:8: the upstream needs its key: add `api_key_env` or `api_key_file`
        greffier.toml:18:8: expected `openai` or `anthropic` or `gemini`
        greffier.toml:19:12: expected an http or https URL
        greffier.toml:20:10: expected names of models, in which `*` stands for any text
        greffier.toml:21:11: expected a duration, as in `500ms`, `30s`, `5m`, `1h` or `7d`
        greffier.toml:23:8: this name stands twice
        greffier.toml:23:8: `api_key_env` and `api_key_file` exclude each other
        greffier.toml:25:12: a URL holds no credentials here: name their source with `…_env` or `…_file`
        greffier.toml:32:12: expected a URL without query and fragment
        greffier.toml:33:15: expected the name of an environment variable, not the secret
        greffier.toml:36:8: expected 1 to 64 letters, digits, `.`, `_` or `-`
        greffier.toml:38:12: `audit`, `policy` and `key` are greffier's own
        greffier.toml:40:19: expected 1 to 64 letters, digits, `.`, `_` or `-`
        greffier.toml:41:21: this header belongs to the connection
        greffier.toml:46:12: expected a URI, as in "ehr://{path}"
        greffier.toml:47:21: a header without a value: add `credential_env` or `credential_file`
        greffier.toml:49:11: expected `allow`, `flag`, `redact`, `mask`, `hash`, `tokenise` or `block`
        greffier.toml:50:11: unknown type: did you mean `US_SSN`?
        greffier.toml:50:29: `US_SSN` stands twice
        greffier.toml:52:8: expected a size of at most 256 MiB, as in `512KiB` or `32MiB`
        greffier.toml:53:15: expected 1 to 65536
        greffier.toml:54:9: expected more than zero and at most 24h
        greffier.toml:56:7: expected a path
        greffier.toml:58:8: expected 1 to 1000000
        greffier.toml:59:9: expected a size of at most 1024 MiB, as in `512KiB` or `32MiB`
        greffier.toml:60:11: expected more than zero and at most 24h
        greffier.toml:61:10: expected a size of at most 65536 MiB, as in `512KiB` or `32MiB`
        greffier.toml:62:14: expected 1 to 64
        greffier.toml:64:15: expected at least 1s and at most 30d
        greffier.toml:65:7: expected at least 1MiB
        greffier.toml:66:11: expected 1 to 65536
    "#);
    assert!(!found.contains("sk-live-1") && !found.contains("user:pass"));
}

#[test]
fn the_environment_lies_over_the_file() {
    let text = "[[upstream]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://a\"\napi_key_env = \"K\"\n\
                models = [\"*\"]\n[safety]\nrules = { US_SSN = \"flag\" }\n";
    let config = load(
        text,
        &[
            ("LISTEN", "127.0.0.1:5000"),
            ("UPSTREAM__0__BASE_URL", "http://b:1/v1"),
            ("UPSTREAM__0__MODELS", r#"["gpt-*", "o*"]"#),
            ("UPSTREAM__0__MODELS__2", "x"),
            ("UPSTREAM__1__NAME", "second"),
            ("UPSTREAM__1__KIND", "anthropic"),
            ("UPSTREAM__1__BASE_URL", "http://c"),
            ("UPSTREAM__1__API_KEY_FILE", "key"),
            ("UPSTREAM__1__MODELS", r#"["claude-*"]"#),
            ("SAFETY__RULES__US_SSN", "block"),
            ("SAFETY__RULES__CREDIT_CARD", "allow"),
            ("SERVER__CONNECTIONS", "7"),
        ],
    )
    .unwrap();
    insta::assert_snapshot!(config.text, @r#"
    listen = "127.0.0.1:5000"
    proxy_ends_tls = false
    data = "greffier-data"
    keys = "greffier-keys"
    origin = "greffier.local"
    node = "node-1"
    origins = []
    pins = "greffier-pins"
    on_record_failure = "refuse"
    issuer = []
    tool = []
    mcp = []
    witness = []
    webhook = []

    [policy]
    dir = "policies"

    [safety]
    default = "redact"
    tools = "flag"

    [safety.rules]
    US_SSN = "block"
    credit_card = "allow"

    [safety.tool_rules]

    [server]
    body = "32MiB"
    connections = 7
    header_timeout = "15s"
    body_idle_timeout = "30s"
    drain = "20s"

    [query]
    rows = 10000
    bytes = "32MiB"
    timeout = "30s"
    memory = "256MiB"
    concurrent = 4
    pushdown = true
    ngram_index = false

    [ledger]
    segment_age = "24h"
    wal = "1GiB"

    [anchor]
    every = "5s"
    stale_after = "10m"
    require = []

    [retention]
    shorten_after = "7d"

    [retention.classes]

    [findings]
    record = true
    positions = "greffier-webhooks"

    [prices]

    [[upstream]]
    name = "a"
    kind = "openai"
    base_url = "http://b:1/v1"
    api_key_env = "K"
    models = ["gpt-*", "o*", "x"]
    timeout = "600s"
    idle_timeout = "120s"

    [upstream.reach]
    retries = 2
    fallback = false
    concurrent = 512
    queue = 512
    queue_time = "5s"
    open_after = 5
    open_for = "10s"

    [[upstream]]
    name = "second"
    kind = "anthropic"
    base_url = "http://c"
    api_key_file = "key"
    models = ["claude-*"]
    timeout = "600s"
    idle_timeout = "120s"

    [upstream.reach]
    retries = 2
    fallback = false
    concurrent = 512
    queue = 512
    queue_time = "5s"
    open_after = 5
    open_for = "10s"
    "#);
    assert_eq!(
        config.safety.rules.models.action(greffier_safety::Entity::UsSsn),
        greffier_event::RedactionAction::Block
    );
    assert_eq!(config.upstreams.len(), 2);
    assert_eq!(config.upstreams[1].api_key, SecretSource::File("/etc/greffier/key".into()));
}

#[test]
fn what_a_question_may_cost_and_when_entries_are_sealed() {
    let text = "[query]\nrows = 7\nbytes = \"1MiB\"\ntimeout = \"5s\"\nmemory = \"2GiB\"\nconcurrent = 1\n\
                pushdown = false\n[ledger]\nsegment_age = \"90m\"\nwal = \"2MiB\"\n";
    let config = load(text, &[("LEDGER__ENTRIES", "256")]).unwrap();
    insta::assert_snapshot!(format!("{:?}\n{:?}", config.query, config.seal), @"
    Limits { rows: 7, bytes: 1048576, time: 5s, memory: 2147483648, concurrent: 1, pushdown: false }
    SealPolicy { entries: 256, age: 5400s, wal_bytes: 2097152 }
    ");
}

const ISSUER: &str = "[[issuer]]\nurl = \"https://idp.example\"\naudience = \"https://greffier.example\"\ntenants = [\"acme\"]\n";

/// What goes on unrecorded, or what is wrong.
fn going_on(text: &str, overrides: &[(&str, &str)]) -> String {
    match load(&format!("{text}{ISSUER}"), overrides) {
        Ok(config) => {
            config.continues.classes().map(greffier_gateway::Class::name).collect::<Vec<_>>().join(" ")
        }
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn which_calls_go_on_unrecorded() {
    let check = going_on;
    assert_eq!(check("", &[]), "");
    assert_eq!(check("on_record_failure = \"refuse\"\n", &[]), "");
    assert_eq!(check("on_record_failure = \"continue\"\n", &[]), "invoke_model call_tool");
    assert_eq!(check("", &[("ON_RECORD_FAILURE", "continue")]), "invoke_model call_tool");
    assert_eq!(check("[on_record_failure]\n", &[]), "");
    assert_eq!(check("[on_record_failure]\ninvoke_model = \"continue\"\n", &[]), "invoke_model");
    assert_eq!(check("", &[("ON_RECORD_FAILURE__CALL_TOOL", "continue")]), "call_tool");
    let but_one = "on_record_failure = { default = \"continue\", call_tool = \"refuse\" }\n";
    assert_eq!(check(but_one, &[]), "invoke_model");
    let shown = load(&format!("{but_one}{ISSUER}"), &[]).unwrap().text;
    assert_eq!(load(&shown, &[]).unwrap().text, shown);
    assert!(
        shown.contains("[on_record_failure]\ndefault = \"continue\"\ncall_tool = \"refuse\"\n"),
        "{shown}"
    );
}

#[test]
fn what_may_not_go_on_unrecorded_is_said() {
    insta::assert_snapshot!(going_on("on_record_failure = \"ignore\"\n", &[]), @"greffier.toml:1:21: expected `refuse` or `continue`");
    insta::assert_snapshot!(going_on("on_record_failure = 7\n", &[]), @"greffier.toml:1:21: expected `refuse`, `continue`, or a section with one of them for each class, found integer");
    insta::assert_snapshot!(going_on("[on_record_failure]\ninvoke_modle = \"continue\"\ncall_tool = 1\n", &[]), @r"
        greffier.toml:2:1: unknown key `invoke_modle` in `on_record_failure`: did you mean `invoke_model`?
        greffier.toml:3:13: expected a string, found integer
    ");
    insta::assert_snapshot!(going_on("[on_record_failure]\nread_resource = \"continue\"\ncall_tool = \"no\"\n", &[]), @r"
        greffier.toml:2:1: unknown key `read_resource` in `on_record_failure`: expected one of default, invoke_model, call_tool
        greffier.toml:3:13: expected `refuse` or `continue`
    ");
    insta::assert_snapshot!(problems("on_record_failure = \"continue\"\n", &[]), @"greffier.toml:1:21: calls go on unrecorded for verified callers only, and the development issuer verifies nobody: add an [[issuer]], or write `refuse`");
    let classified = "on_record_failure = { call_tool = \"continue\" }\n[[tool]]\nname = \"ehr\"\n\
                      base_url = \"http://a\"\nclassification = [\"phi\"]\n";
    insta::assert_snapshot!(going_on(classified, &[]), @"greffier.toml:1:35: every [[tool]] here is classified, and no call for classified data goes on unrecorded: write `refuse`");
}

#[test]
fn an_authority_for_time_stamps_has_a_url_and_a_pace() {
    let parsed =
        |text: &str| load(text, &[]).unwrap().timestamps.map(|stamps| (stamps.url, stamps.every.as_secs()));
    assert_eq!(parsed(""), None);
    let named = parsed("[timestamp]\nurl = \"http://tsa.example/tsr\"\n");
    assert_eq!(named, Some(("http://tsa.example/tsr".to_owned(), 3_600)));
    let wrong = "[timestamp]\nurl = \"ftp://u:p@tsa.example\"\nevery = \"10ms\"\nnonce = 1\n";
    let told = problems(wrong, &[]);
    for said in ["RFC 3161 authority", "expected at least 1s", "unknown key `nonce` in `timestamp`"] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn a_webhook_has_an_address_and_a_signature() {
    let parsed = |text: &str| load(text, &[]).unwrap().findings;
    assert!(parsed("").record && parsed("").webhooks.is_empty());
    let hook = "[[webhook]]\nname = \"soc\"\nurl = \"http://127.0.0.1:9/x\"\nsecret_env = \"S\"\n";
    let slack =
        "[[webhook]]\nname = \"slack\"\nurl_file = \"slack\"\nformat = \"slack\"\nmin_severity = \"high\"\n";
    let two = parsed(&format!("{hook}{slack}")).webhooks;
    let told = |hook: &WebhookConfig| format!("{} {} {}", hook.name, hook.slack, hook.least.as_str());
    assert_eq!(two.iter().map(told).collect::<Vec<_>>(), ["soc false low", "slack true high"]);
    assert_eq!(two[0].give_up_after, std::time::Duration::from_secs(86_400));
    let never = problems(&format!("{hook}give_up_after = \"1y\"\n{slack}give_up_after = \"60d\"\n"), &[]);
    insta::assert_snapshot!(never, @"
    greffier.toml:5:17: expected a duration, as in `500ms`, `30s`, `5m`, `1h` or `7d`
    greffier.toml:11:17: expected at least 1s and at most 30d
    ");
    let both = "[[webhook]]\nname = \"a\"\nurl = \"http://a\"\nurl_env = \"A\"\nformat = \"xml\"\nmin_severity = \"top\"\n";
    insta::assert_snapshot!(problems(both, &[]), @"
    greffier.toml:2:8: without a signature nobody can tell who speaks: add `secret_env` or `secret_file`
    greffier.toml:3:7: `url`, `url_env` and `url_file` exclude each other
    greffier.toml:5:10: expected `json` or `slack`
    greffier.toml:6:16: expected `low` or `medium` or `high`
    ");
    let none = format!("{hook}[[webhook]]\nname = \"soc\"\nsecret_env = \"S\"\n[findings]\nrecord = false\n");
    insta::assert_snapshot!(problems(&none, &[]), @"
    greffier.toml:2:8: a webhook tells what is recorded: `[findings] record` must be true
    greffier.toml:6:8: this name stands twice
    greffier.toml:6:8: the webhook needs an address: add `url`, `url_env` or `url_file`
    ");
}

#[test]
fn what_the_environment_gets_wrong_names_its_variable() {
    let overrides = [
        ("LISTEN", "nowhere"),
        ("UPSTREAM__1__NAME", "x"),
        ("NODE__NAME", "x"),
        ("SAFETY__0", "x"),
        ("", "x"),
        ("NO_SUCH", "x"),
    ];
    insta::assert_snapshot!(problems("node = \"n\"\n", &overrides), @r#"
    environment variable GREFFIER__: names no key: expected GREFFIER__SECTION__KEY
    environment variable GREFFIER__LISTEN: expected an address and a port, as in "127.0.0.1:4180" or "[::1]:4180"
    environment variable GREFFIER__NODE__NAME: `node` is not a section
    environment variable GREFFIER__NO_SUCH: unknown key `no_such`: expected one of listen, proxy_ends_tls, data, keys, origin, node, public_url, origins, pins, on_record_failure, policy, safety, server, query, ledger, anchor, retention, findings, prices, timestamp, tls, issuer, upstream, tool, mcp, witness, webhook
    environment variable GREFFIER__SAFETY__0: expected a section: `[safety]`
    environment variable GREFFIER__SAFETY__0: expected `allow`, `flag`, `redact`, `mask`, `hash`, `tokenise` or `block`
    environment variable GREFFIER__UPSTREAM__1__NAME: the list has 0 elements: the next one is number 0
    "#);
}

const WITNESS: &str = "[[witness]]\nname = \"w1\"\nvkey = \"witness.example.com/w1+969980cf+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X\"\nurl = \"https://w1.example/\"\n";

#[test]
fn witnesses_are_all_asked_unless_a_quorum_is_named() {
    let anchor = load(WITNESS, &[]).unwrap().anchor.unwrap();
    assert_eq!((anchor.quorum, anchor.witnesses[0].url.as_str()), (1, "https://w1.example"));
    assert_eq!(anchor.require, greffier_ledger::Require::None);
    let text =
        format!("{WITNESS}[anchor]\nquorum = 1\nrequire = \"*\"\nevery = \"1s\"\nstale_after = \"2s\"\n");
    assert_eq!(load(&text, &[]).unwrap().anchor.unwrap().require, greffier_ledger::Require::All);
    let shown = load(&text, &[]).unwrap().text;
    assert_eq!(load(&shown, &[]).unwrap().text, shown);
    assert_eq!(load("", &[]).unwrap().anchor, None);
}

#[test]
fn witnesses_that_cannot_be_are_named() {
    let log_key = "audit.example.com/log1+cf18fe2a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let log = format!("[[witness]]\nname = \"w1\"\nvkey = \"{log_key}\"\nurl = \"https://w1.example\"\n");
    let expected = [
        ("[anchor]\nquorum = 1\n".to_owned(), "there are no witnesses"),
        ("[anchor]\nrequire = [\"acme\"]\n".to_owned(), "there are no witnesses"),
        (format!("{WITNESS}[anchor]\nquorum = 2\n"), "expected 1 to 1"),
        (format!("{WITNESS}[anchor]\nquorum = 0\n"), "expected 1 to 1"),
        (format!("{WITNESS}{WITNESS}"), "this name stands twice"),
        (WITNESS.replace("https://w1", "http://w1"), "expected an https URL"),
        (WITNESS.replace("\"w1\"", "\"none\""), "has a meaning of its own"),
        (WITNESS.replace("969980cf", "969980ce"), "id does not match"),
        (log, "expected a witness's key"),
        (format!("{WITNESS}[anchor]\nrequire = \"acme\"\n"), "or a list of tenants"),
        (format!("{WITNESS}[anchor]\nrequire = [\"a b\"]\n"), "`a b` is no tenant"),
        (format!("{WITNESS}[anchor]\nevery = \"10m\"\n"), "at least twice `every`"),
        (format!("{WITNESS}[anchor]\nevry = \"10s\"\n"), "did you mean `every`?"),
        (WITNESS.replace("vkey", "key"), "unknown key `key`"),
    ];
    for (text, said) in expected {
        let problems = problems(&text, &[]);
        assert!(problems.contains(said), "{text}{problems}");
    }
}

#[test]
fn rules_say_what_they_are_about() {
    let text = r#"
[[safety.rule]]
types = ["US_SSN", "EMAIL_ADDRES"]
class = "secret"
action = "mask"
[[safety.rule]]
action = "hide"
[[safety.rule]]
class = "secrets"
direction = "in"
tenant = "greffier corp"
tool = ""
field = "ssn"
action = "hash"
[[safety.rule]]
types = []
direction = "output"
action = "tokenise"
acton = "x"
"#;
    insta::assert_snapshot!(problems(text, &[]), @r#"
    greffier.toml:4:9: `types` and `class` exclude each other
    greffier.toml:6:1: a rule says what it is about: add `types`, `class`, `direction`, `tenant`, `tool` or `field`
    greffier.toml:7:10: expected `allow`, `flag`, `redact`, `mask`, `hash`, `tokenise` or `block`
    greffier.toml:9:9: expected `personal`, `health`, `payment` or `secret`
    greffier.toml:10:13: expected `input` (towards the model or tool) or `output` (back)
    greffier.toml:11:10: tenant must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}
    greffier.toml:12:8: expected the name of a tool, as in "crm:contacts:search" or "crm:*"
    greffier.toml:13:9: expected a JSON pointer, in which `*` stands for one key and `**` for any number, or `path`, `query`, `body`, `header:NAME`
    greffier.toml:15:1: expected at least one type, or no `types` for all of them
    greffier.toml:18:10: only what goes out is tokenised, because the reply restores it
    greffier.toml:19:1: unknown key `acton` in `rule`: did you mean `action`?
    "#);
}

#[test]
fn rules_become_a_book() {
    use greffier_event::{RedactionAction, Stage};
    let text = "[[safety.rule]]\ntypes = [\"US_SSN\"]\ntool = \"crm:*\"\naction = \"tokenise\"\n\
                [[safety.rule]]\nclass = \"secret\"\naction = \"block\"\n";
    let config = load(text, &[("SAFETY__RULE__1__ACTION", "mask")]).unwrap();
    let way = |stage| greffier_safety::Way { stage, tenant: "acme", tool: Some("crm:contacts:search") };
    let action = |stage, entity| config.safety.rules.rules(way(stage)).action(entity);
    assert_eq!(action(Stage::Input, greffier_safety::Entity::UsSsn), RedactionAction::Tokenise);
    assert_eq!(action(Stage::Output, greffier_safety::Entity::UsSsn), RedactionAction::Redact);
    assert_eq!(action(Stage::Input, greffier_safety::Entity::Jwt), RedactionAction::Mask);
    assert_eq!(load(&config.text, &[]).unwrap().text, config.text);
}

const ENTITY: &str = r#"
[[safety.entity]]
name = "BADGE_ID"
pattern = "B-[0-9]{4,6}"
class = "personal"
context = ["badge"]
validator = "luhn"
finds = ["badge B-18"]
ignores = ["order B-1234"]
"#;

#[test]
fn own_types_are_checked_at_load() {
    insta::assert_snapshot!(problems(ENTITY, &[]), @"greffier.toml:8:10: nothing of this type is found in this text");
    let more = "[[safety.entity]]\nname = \"US_SSN\"\npattern = \"x+\"\nvalidator = \"mod9\"\nfind = []\n\
                [[safety.entity]]\nname = \"LONG_ID\"\npattern = \"x+\"\ncontext = [\"x\"]\n";
    insta::assert_snapshot!(problems(more, &[]), @"
    greffier.toml:2:8: this type is built in: choose another name
    greffier.toml:4:13: unknown validator: expected one of luhn, mod97, iban, mod11, verhoeff
    greffier.toml:5:1: unknown key `find` in `entity`: did you mean `finds`?
    greffier.toml:8:11: it has no longest match: write `{1,20}` in place of `+` and `*`
    ");
    let good = ENTITY.replace("badge B-18", "badge B-1842")
        + "[safety.rules]\nBADGE_ID = \"block\"\nBADGE_IDS = \"flag\"\n";
    insta::assert_snapshot!(problems(&good, &[]), @"greffier.toml:12:1: unknown type: did you mean `BADGE_ID`?");
    let good = good.replace("BADGE_IDS = \"flag\"\n", "");
    let config = load(&good, &[]).unwrap();
    assert_eq!(
        config.safety.scanner.scan("badge B-1842").first().map(|span| span.entity.name()),
        Some("BADGE_ID")
    );
    assert_eq!(load(&config.text, &[]).unwrap().text, config.text);
}

#[test]
fn what_is_looked_for_in_ingested_contents() {
    use greffier_api::Inspection;
    let ingest = |text: &str| load(text, &[]).unwrap().safety.ingest;
    assert_eq!((ingest(""), ingest("[safety]\ningest = \"keys\"\n")), (Inspection::Full, Inspection::Keys));
    insta::assert_snapshot!(problems("[safety]\ningest = \"none\"\n", &[]), @"greffier.toml:2:10: expected `inspect` or `keys`");
}

#[test]
fn another_analyser_is_asked_for_what_it_is_configured_for() {
    let text = "[safety.remote]\nurl = \"http://127.0.0.1:3000/analyze\"\nentities = [\"PERSON\", \"NRP\"]\n\
                [safety.rules]\nNRP = \"block\"\n";
    let config = load(text, &[]).unwrap();
    let remote = config.safety.remote.unwrap();
    assert_eq!((remote.timeout.as_secs(), remote.score), (1, 0.5));
    assert_eq!(remote.entities.iter().map(|entity| entity.name()).collect::<Vec<_>>(), ["PERSON", "NRP"]);
    let text = "[safety.remote]\nurl = \"ftp://x\"\nentities = [\"nrp\"]\ntimeout = \"5m\"\nscore = 1.5\nlanguage = \"\"\n\
                on_failure = \"ignore\"\nreplies = true\n";
    insta::assert_snapshot!(problems(text, &[]), @r#"
    greffier.toml:2:7: expected an http or https URL
    greffier.toml:3:13: expected a name in capital letters, as in PERSON
    greffier.toml:4:11: expected at most 30s: every call waits for it
    greffier.toml:5:9: expected a number from 0 to 1
    greffier.toml:6:12: expected a language, as in "en"
    greffier.toml:7:14: expected `deny` or `continue`
    greffier.toml:8:1: unknown key `replies` in `remote`: expected one of url, timeout, entities, score, language, on_failure
    "#);
}

#[test]
fn mcp_servers_are_checked() {
    let problems = |text: &str| problems(text, &[]);
    let good = "[[mcp]]\nname = \"crm\"\nurl = \"http://127.0.0.1:3101/mcp\"\n\
                [[mcp]]\nname = \"files\"\ncommand = [\"npx\", \"server\"]\nenv = [\"NODE_OPTIONS\"]\n";
    assert_eq!(problems(good), "no problems");
    let bad = "origins = [\"https://a.example/path\"]\n\
               [[mcp]]\nname = \"a\"\n\
               [[mcp]]\nname = \"b\"\nurl = \"http://x/\"\ncommand = [\"y\"]\n\
               [[mcp]]\nname = \"c\"\ncommand = []\non_change = \"ask\"\nprocesses = 0\nreach = {}\n\
               [[mcp]]\nname = \"d\"\ncommand = [\"y\"]\nenv = [\"A=B\"]\ncredential_env = \"KEY\"\n\
               [[tool]]\nname = \"a\"\nbase_url = \"http://127.0.0.1:1\"\n";
    insta::assert_snapshot!(problems(bad), @r#"
    greffier.toml:1:12: expected an origin, as in "https://console.example"
    greffier.toml:3:8: a [[tool]] has this name
    greffier.toml:3:8: an MCP server needs either `url` or `command`
    greffier.toml:5:8: an MCP server needs either `url` or `command`
    greffier.toml:9:8: `reach` is for a `url`
    greffier.toml:10:11: expected a program and its arguments, as in ["npx", "server"]
    greffier.toml:11:13: expected `flag` or `block`
    greffier.toml:12:13: expected a number between 1 and 1024
    greffier.toml:15:8: a credential in a header is for a `url`: pass a `command` its secrets by `env`
    greffier.toml:17:8: expected the name of an environment variable, or "*" for all
    "#);
}

#[test]
fn reach_rules_and_tls_are_checked() {
    let text = "[tls]\ncert = \"c.pem\"\nkey = \"\"\n[[tool]]\nname = \"t\"\nunlisted = \"allow\"\n\
                reach = { retries = 9, concurrent = 0, open_after = 0, queue_tim = \"1s\", cert_file = \"c\" }\n\
                [[tool.rule]]\npath = \"/a/**/b\"\nmethod = \"TRACE\"\noperation = \"x\"\n\
                [[tool.rule]]\npath = \"/a/{id}\"\neffect = \"look\"\nsubject = \"{name}\"\n";
    insta::assert_snapshot!(problems(text, &[]), @r#"
        greffier.toml:3:7: expected a path
        greffier.toml:5:8: `cert_file` and `key_file` go together
        greffier.toml:5:8: where is it? add `base_url`
        greffier.toml:6:12: without `openapi` nothing is listed
        greffier.toml:7:21: expected 0 to 5
        greffier.toml:7:37: expected 1 to 100000
        greffier.toml:7:53: expected how many failures in a row, at least 1
        greffier.toml:7:56: unknown key `queue_tim` in `reach`: did you mean `queue_time`?
        greffier.toml:9:8: `**` stands at the end only
        greffier.toml:10:10: expected GET, HEAD, POST, PUT, PATCH or DELETE
        greffier.toml:11:13: an `operationId` is of a document: add `openapi`, or name a `path`
        greffier.toml:14:10: expected read, create, update, delete or execute
        greffier.toml:15:11: the path of this rule has no `{name}`
    "#);
}
