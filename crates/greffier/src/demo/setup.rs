//! What `init` and an administrator would have written before the first start: configuration, policies, keys and
//! credentials. The gateway reads them as it reads any other installation's.

use std::net::SocketAddr;

use greffier_ledger::KeyRing;

use super::folder::{CONFIG, CREDENTIALS, DATA, Folder, KEYS, POLICIES};
use super::people::TENANTS;
use super::provider::AUDIENCE;
use super::{policies, tools, upstream};

const MODELS_KEY: &str = "credentials/models.key";
const TOOLS_KEY: &str = "credentials/tools.key";

/// Where the demo's own servers listen.
pub(super) struct Hosts {
    pub(super) provider: String,
    pub(super) models: String,
    pub(super) tools: String,
}

/// Writes everything.
pub(super) fn write(folder: &Folder, listen: SocketAddr, hosts: &Hosts) -> anyhow::Result<()> {
    folder.folder(POLICIES)?;
    for (name, text) in policies::files() {
        folder.write(&format!("{POLICIES}/{name}"), text)?;
    }
    folder.folder(CREDENTIALS)?;
    folder.write(MODELS_KEY, upstream::KEY)?;
    folder.write(TOOLS_KEY, tools::CREDENTIAL)?;
    KeyRing::create(&folder.path(KEYS))?;
    folder.write(CONFIG, &configuration(listen, hosts))
}

fn configuration(listen: SocketAddr, hosts: &Hosts) -> String {
    let Hosts { provider, models, tools } = hosts;
    let [hospital, sales] = TENANTS;
    format!(
        r#"# Made by `greffier demo`. Its identity provider, models and tools live as long as the demo runs.

listen = "{listen}"
data = "{DATA}"
keys = "{KEYS}"
origin = "demo.greffier.local"
node = "demo"

[[issuer]]
url = "{provider}"
audience = "{AUDIENCE}"
tenants = ["{hospital}", "{sales}"]
claims = {{ tenant = "/org_id", roles = "/roles", scopes = "/scope", email = "/email", agent = "/act/sub", tier = "/agent_tier", session = "/sid" }}

[[upstream]]
name = "openai"
kind = "openai"
base_url = "{models}/v1"
api_key_file = "{MODELS_KEY}"
models = ["gpt-*", "o*"]

[[upstream]]
name = "anthropic"
kind = "anthropic"
base_url = "{models}"
api_key_file = "{MODELS_KEY}"
models = ["claude-*"]

[[tool]]
name = "ehr"
base_url = "{tools}/ehr"
resource = "ehr://{{path}}"
subject = "/patient_id"
classification = ["phi"]
credential_file = "{TOOLS_KEY}"

[[tool]]
name = "crm"
base_url = "{tools}/crm"
resource = "crm://{{path}}"
classification = ["pii"]
credential_file = "{TOOLS_KEY}"

[policy]
dir = "{POLICIES}"

[safety]
default = "redact"
tools = "flag"
rules = {{ CREDIT_CARD = "block" }}
"#
    )
}
