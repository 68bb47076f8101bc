//! `[[mcp]]`, and how its entrance is guarded.

use greffier_gateway::{Host, Launch, McpServer, OnChange, Reach, Transport};

use super::super::McpConfig;
use super::super::raw::{Raw, RawMcp, Text};
use super::{Checker, ReachConfig, is_name, units};

/// Processes of one server: each is a program with its own memory.
const MAX_PROCESSES: usize = 1_024;
/// Words of a command.
const MAX_WORDS: usize = 256;
/// Pages that may come in.
const MAX_ORIGINS: usize = 64;

impl Checker<'_> {
    pub(super) fn mcp(&mut self, raw: &Raw) -> Vec<McpConfig> {
        self.names(raw.mcp.iter().map(|server| &server.name));
        // Policies and events name a tool by its server: two of one name could not be told apart.
        for server in &raw.mcp {
            if raw.tool.iter().any(|tool| tool.name.get_ref() == server.name.get_ref()) {
                self.problem(&server.name, "a [[tool]] has this name");
            }
        }
        if let Some(url) = &raw.public_url {
            self.base_url(url);
        }
        if raw.origins.len() > MAX_ORIGINS {
            self.problem(&raw.listen, format!("more than {MAX_ORIGINS} `origins`"));
        }
        for origin in &raw.origins {
            let bare = origin.get_ref().split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
            if !bare {
                self.problem(origin, "expected an origin, as in \"https://console.example\"");
            }
        }
        raw.mcp.iter().filter_map(|server| self.mcp_server(server)).collect()
    }

    fn mcp_server(&mut self, raw: &RawMcp) -> Option<McpConfig> {
        for class in raw.classification.iter().filter(|class| !is_name(class.get_ref())) {
            self.name(class);
        }
        let on_change = match raw.on_change.get_ref().as_str() {
            "flag" => Some(OnChange::Flag),
            "block" => Some(OnChange::Block),
            _ => {
                self.one_of(&raw.on_change, &["flag", "block"]);
                None
            }
        };
        let secret =
            self.secret(&raw.name, "credential", raw.credential_env.as_ref(), raw.credential_file.as_ref());
        let header = self.credential_header(raw.credential_header.as_ref(), secret.is_some());
        let timeout = self.take(&raw.timeout, units::timeout(raw.timeout.get_ref()));
        let idle_timeout = self.take(&raw.idle_timeout, units::timeout(raw.idle_timeout.get_ref()));
        let idle = self.take(&raw.process_idle, units::timeout(raw.process_idle.get_ref()));
        let processes = *raw.processes.get_ref();
        if !(1..=MAX_PROCESSES).contains(&processes) {
            self.problem(&raw.processes, format!("expected a number between 1 and {MAX_PROCESSES}"));
        }
        let environment: Vec<String> = raw.env.iter().filter_map(|name| self.variable(name)).collect();
        let transport = match (&raw.url, &raw.command) {
            (Some(url), None) => {
                if let Some(name) = raw.env.first() {
                    self.problem(name, "`env` is for a `command`");
                }
                let reach = Reach::default();
                self.base_url(url).map(|url| Transport::Http { url, credential: None, reach })
            }
            (None, Some(command)) => {
                if secret.is_some() {
                    self.problem(
                        &raw.name,
                        "a credential in a header is for a `url`: pass a `command` its secrets by `env`",
                    );
                }
                let words = command.get_ref();
                let good = words.len() <= MAX_WORDS && !words.iter().any(|word| word.contains('\0'));
                if raw.reach.is_some() {
                    self.problem(&raw.name, "`reach` is for a `url`");
                }
                match words.split_first() {
                    Some((program, arguments)) if good && !program.is_empty() => {
                        Some(Transport::Command(Launch {
                            program: program.clone(),
                            arguments: arguments.to_vec(),
                            environment: Vec::new(),
                            processes,
                            idle: idle?,
                        }))
                    }
                    _ => {
                        self.problem(
                            command,
                            "expected a program and its arguments, as in [\"npx\", \"server\"]",
                        );
                        None
                    }
                }
            }
            _ => {
                self.problem(&raw.name, "an MCP server needs either `url` or `command`");
                None
            }
        };
        let server = McpServer {
            name: raw.name.get_ref().clone(),
            transport: transport?,
            classification: raw.classification.iter().map(|class| class.get_ref().clone()).collect(),
            on_change: on_change?,
            timeout: timeout?,
            idle_timeout: idle_timeout?,
        };
        let reach = match &raw.reach {
            Some(written) => self.reach_alone(&raw.name, written, Host::Named)?,
            None => ReachConfig::default(),
        };
        Some(McpConfig { server, reach, credential: header.zip(secret), environment })
    }

    fn variable(&mut self, name: &Text) -> Option<String> {
        let text = name.get_ref();
        let good =
            text == "*" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        if !good {
            self.problem(name, "expected the name of an environment variable, or \"*\" for all");
        }
        good.then(|| text.clone())
    }
}
