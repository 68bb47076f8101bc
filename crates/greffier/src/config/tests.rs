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
    insta::assert_snapshot!(config.text, @"");
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
    let limits = load(SAMPLE, &[]).unwrap().limits;
    assert_eq!(format!("{limits:?}"), format!("{:?}", Limits::default()));
}

#[test]
fn unknown_keys_have_a_place_and_a_suggestion() {
    let text = "lisen = \"x\"\n[safety]\ndefualt = \"redact\"\n[[upstream]]\napi_key = \"sk-live-1\"\nname = \"a\"\n\
                kind = \"openai\"\nbase_url = \"http://a\"\nmodels = [\"*\"]\nzzz = 1\n";
    insta::assert_snapshot!(problems(text, &[("SERVER__BODDY", "1MiB")]), @"");
}

#[test]
fn what_is_not_built_says_so() {
    let text = "data = \"s3://bucket\"\non_record_failure = \"continue\"\n[[mcp]]\nname = \"crm\"\n[[limit]]\n\
                [retention]\nentries = \"7y\"\n[privacy]\n[tls]\n[[upstream]]\nname = \"g\"\nkind = \"gemini\"\n\
                base_url = \"http://a\"\nmodels = [\"*\"]\napi_key_env = \"K\"\n";
    insta::assert_snapshot!(problems(text, &[]), @"");
}

#[test]
fn broken_toml_and_wrong_types_never_show_the_value() {
    for (text, expected) in [
        ("listen = \n", ""),
        ("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n", ""),
        ("node = 7\n", ""),
        (
            "[[upstream]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://a\"\nmodels = \"sk-live-1\"\n",
            "",
        ),
        ("[[upstream]]\nname = \"a\"\n", ""),
        ("upstream = \"a\"\n", ""),
        ("[server]\nconnections = -1\n", ""),
    ] {
        let found = problems(text, &[]);
        assert!(!found.contains("sk-live-1") && found.contains("greffier.toml:"), "{found}");
        assert!(expected.is_empty() || found == expected, "{found}");
    }
    insta::assert_snapshot!(problems("node = 7\n", &[]), @"");
    insta::assert_snapshot!(problems("[[upstream]]\nname = \"a\"\n", &[]), @"");
    insta::assert_snapshot!(problems("tool = [\"sk-live-1\"]\n", &[]), @"");
}

#[test]
fn beyond_loopback() {
    let issuer = "[[issuer]]\nurl = \"https://idp.example\"\naudience = \"a\"\ntenants = [\"t\"]\n";
    insta::assert_snapshot!(problems("listen = \"0.0.0.0:4180\"\n", &[]), @"");
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
"#;
    let found = problems(text, &[]);
    insta::assert_snapshot!(found, @"");
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
    insta::assert_snapshot!(config.text, @"");
    assert_eq!(
        config.model_rules.action(greffier_safety::Entity::UsSsn),
        greffier_event::RedactionAction::Block
    );
    assert_eq!(config.upstreams.len(), 2);
    assert_eq!(config.upstreams[1].api_key, SecretSource::File("/etc/greffier/key".into()));
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
    insta::assert_snapshot!(problems("node = \"n\"\n", &overrides), @"");
}
