//! Agents that record by themselves: so many loggers of the SDK, each with a connection, as fast as receipts come.

use std::time::{Duration, Instant};

use greffier_client::{AuditEvent, AuditLogger, EventType, Overflow, RemoteBackend, ServerOptions, Token};

use crate::Failure;

const AGENTS: [&str; 4] = ["crm-assistant", "billing-helper", "support-triage", "data-analyst"];
const TOOLS: [&str; 4] = ["crm:contacts:search", "billing:invoices:read", "tickets:search", "sql:query:run"];
const RESOURCES: [&str; 4] = ["crm://contacts", "billing://invoices", "tickets://open", "sql://sales/orders"];
/// Events of one session, and users that there are.
const SESSION: u64 = 40;
const USERS: u64 = 2_000;
/// Longer than any run: what is slow is measured, not given up.
const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) token: Token,
    /// Loggers, each with its own connection and its own agent's thread.
    pub(crate) senders: usize,
    /// Events of all of them.
    pub(crate) events: u64,
    /// Events of one request.
    pub(crate) batch: usize,
}

/// Runs the load; what it showed, as a JSON object. An event counts when its receipt is there.
pub(crate) fn run(load: &Load) -> Result<serde_json::Value, Failure> {
    let mut loggers = Vec::new();
    for _ in 0..load.senders {
        let server = ServerOptions::new(&load.url).token(load.token.clone()).timeout(PATIENCE);
        let options = AuditLogger::options().overflow(Overflow::Block { at_most: PATIENCE });
        let options = options.batch(load.batch).buffer(2 * load.batch);
        loggers.push(options.start(RemoteBackend::open(server)?)?);
    }
    let each = load.events / load.senders as u64;
    let started = Instant::now();
    std::thread::scope(|scope| {
        let agents: Vec<_> = loggers
            .iter()
            .enumerate()
            .map(|(sender, logger)| {
                scope.spawn(move || -> Result<(), Failure> {
                    for number in 0..each {
                        logger.log(event(sender as u64, number))?;
                    }
                    Ok(logger.shutdown(PATIENCE)?)
                })
            })
            .collect();
        agents
            .into_iter()
            .try_for_each(|agent| agent.join().unwrap_or_else(|_| Err("an agent panicked".into())))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let metrics: Vec<_> = loggers.iter().map(AuditLogger::metrics).collect();
    let sum = |of: fn(&greffier_client::Metrics) -> u64| metrics.iter().map(of).sum::<u64>();
    Ok(serde_json::json!({
        "events": sum(|metrics| metrics.written),
        "rejected": sum(|metrics| metrics.rejected),
        "failed": sum(|metrics| metrics.failed),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds(),
    }))
}

/// What an agent says of one call of a tool: some 700 bytes as a line, 200 of them its parameters.
fn event(sender: u64, number: u64) -> AuditEvent {
    let session = number / SESSION;
    let mixed = (session + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ sender;
    let of = |list: [&'static str; 4], at: u64| list.get(at as usize % 4).copied().unwrap_or_default();
    let tool = mixed.rotate_left(17) ^ number;
    AuditEvent::new(EventType::ActionExecuted)
        .agent(of(AGENTS, mixed >> 7))
        .session(format!("ses_{mixed:016x}"))
        .user(format!("auth0|{:08x}", mixed % USERS))
        .action(of(TOOLS, tool))
        .resource(of(RESOURCES, tool))
        .request(format!("req_{:08x}{:04x}", number.wrapping_mul(0x9E37_79B9), sender))
        .parameter("query", "pipeline status this quarter, largest deals first")
        .parameter("stage", vec!["proposal", "negotiation", "closing"])
        .parameter("limit", 25)
        .parameter("offset", number % 200)
        .parameter("api_key", "sk-1234567890abcdef")
        .parameter("note", "asked by the sales team before the weekly review")
        .duration_ms(12.5 + (number % 900) as f64)
}

/// Processor time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    // Linux counts in hundredths of a second.
    ticks / 100.0
}
