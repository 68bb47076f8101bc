//! Agents at work, in every dialect and without a header: which session does each of their calls get, and why?

mod dialects;

use bytes::Bytes;
use greffier_event::{Action, ActionKind, Content, Resource, Source, Trace};
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use dialects::{Dialect, Turn, Wanted};

const SECOND: i64 = 1_000_000;

/// Some callers of one gateway.
#[derive(Default)]
struct World {
    chains: Chains,
    seconds: i64,
    begun: usize,
    log: Vec<String>,
}

/// What one call says beside its body.
#[derive(Clone, Copy, Default)]
struct Says<'a> {
    headers: &'a [(&'static str, &'static str)],
    trace: Option<&'static str>,
    token: Option<&'static str>,
}

fn principal(who: &str, token: Option<&str>) -> Principal {
    let (user, tenant) = who.split_once('@').unwrap_or((who, "acme"));
    let (user, agent) = user.split_once('/').unwrap_or((user, "assistant"));
    Principal {
        tenant: Tenant::new(tenant).unwrap(),
        user: (user != "-").then(|| user.to_owned()),
        issuer: "https://idp.example".to_owned(),
        roles: Vec::new(),
        scopes: Vec::new(),
        email: None,
        agent: agent.to_owned(),
        tier: None,
        via: Vec::new(),
        via_dropped: 0,
        session: token.map(str::to_owned),
        client_id: None,
        token: None,
        verified: true,
        expires: Timestamp::from_micros(i64::MAX),
    }
}

fn content(place: Place, media: &str, bytes: &str) -> Content {
    Content { place, media: media.to_owned(), bytes: Bytes::copy_from_slice(bytes.as_bytes()).to_vec() }
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000 * SECOND + self.seconds * SECOND)
    }

    fn place(&mut self, who: &str, says: Says<'_>, target: Target, contents: Vec<Content>) -> (Call, Chain) {
        self.seconds += 1;
        let kind = if matches!(target, Target::Model { .. }) { ActionKind::Llm } else { ActionKind::Tool };
        let mut call = Call {
            request_id: "req".to_owned(),
            time: self.now(),
            action: Action { kind: Some(kind), effect: Some(Effect::Execute), ..Action::default() },
            resource: Resource::default(),
            target,
            session_id: None,
            session_link: None,
            trace: says.trace.map(|id| Trace { span_id: None, trace_id: id.to_owned() }),
            source: Source::default(),
            contents,
        };
        let headers = says
            .headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let begun = &mut self.begun;
        let chain = self.chains.place(&mut call, &headers.collect(), &principal(who, says.token), || {
            *begun += 1;
            format!("{who}-{begun}")
        });
        let session = call.session_id.as_deref().unwrap_or("no session");
        let link = call.session_link.map_or("", SessionLink::as_str);
        let to = match &call.target {
            Target::Tool { name, .. } => name.as_str(),
            _ => "model",
        };
        self.log.push(format!("{who} {to}: {session} {link}"));
        (call, chain)
    }

    /// A model is asked, and its answer comes back.
    fn model(&mut self, who: &str, says: Says<'_>, body: &str, reply: &dialects::Reply) -> Call {
        let target = Target::Model { name: "m".to_owned() };
        let (call, chain) =
            self.place(who, says, target, vec![content(Place::Body, "application/json", body)]);
        match reply {
            dialects::Reply::Whole(text) => self.chains.heard(&chain, text.as_bytes(), self.now()),
            dialects::Reply::Streamed(text) => {
                let mut heard = Heard::default();
                for piece in text.as_bytes().chunks(37) {
                    self.chains.listen(&chain, &mut heard, piece, self.now());
                }
                self.chains.over(&chain, heard, self.now());
            }
        }
        call
    }

    /// A tool is called over HTTP.
    fn tool(&mut self, who: &str, says: Says<'_>, name: &str, path: &str, body: &str) -> Call {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut contents = vec![content(Place::Path, "text/plain", path)];
        if !query.is_empty() {
            contents.push(content(Place::Query, "text/plain", query));
        }
        if !body.is_empty() {
            contents.push(content(Place::Body, "application/json", body));
        }
        let server = name.split(':').next().unwrap().to_owned();
        self.place(who, says, Target::Tool { server, name: name.to_owned() }, contents).0
    }

    /// One user request of six rounds: the model asks for a tool, its result goes back, and at last there are words.
    fn agent(&mut self, who: &str, dialect: Dialect, streams: bool, about: &str) {
        let mut turns = vec![Turn::User(format!("Write a letter about {about}."))];
        for round in 0..6 {
            let wanted = Wanted {
                id: format!("call_{about}_{round}"),
                name: "search_records".to_owned(),
                arguments: format!(r#"{{"q": "{about} {round}", "limit": 5}}"#),
            };
            let last = round == 5;
            let wishes = if last { Vec::new() } else { vec![wanted] };
            let answer = Turn::Model { text: format!("Round  {round}\nof {about}"), wishes: wishes.clone() };
            let reply = dialect.reply(&format!("reply_{about}_{round}"), &answer, streams);
            self.model(who, Says::default(), &dialect.request(&turns), &reply);
            turns.push(answer);
            for wanted in wishes {
                let path = format!("/search?q={about}%20{round}&limit=5");
                self.tool(who, Says::default(), "ehr:search", &path, "");
                turns.push(Turn::Result { id: wanted.id, text: format!("found {round}") });
            }
        }
        turns.push(Turn::User("Shorter, please.".to_owned()));
        let answer = Turn::Model { text: "Short.".to_owned(), wishes: Vec::new() };
        let reply = dialect.reply(&format!("reply_{about}_6"), &answer, streams);
        self.model(who, Says::default(), &dialect.request(&turns), &reply);
    }

    fn told(&self) -> String {
        self.log.join("\n")
    }
}

#[test]
fn the_twelve_calls_of_one_request_stand_together() {
    for dialect in Dialect::ALL {
        for streams in [false, true] {
            let mut world = World::default();
            world.agent("alice", dialect, streams, "Bob");
            let others = world.log.iter().filter(|line| !line.contains(": alice-1 inferred:"));
            assert_eq!((world.log.len(), others.count()), (12, 0), "{dialect:?} {streams}\n{}", world.told());
        }
    }
}

#[test]
fn each_link_is_said() {
    let mut world = World::default();
    world.agent("alice", Dialect::OpenAiChat, true, "Bob");
    insta::assert_snapshot!(world.told(), @r"
    alice model: alice-1 inferred:start
    alice ehr:search: alice-1 inferred:tool_call
    alice model: alice-1 inferred:tool_result
    alice ehr:search: alice-1 inferred:tool_call
    alice model: alice-1 inferred:tool_result
    alice ehr:search: alice-1 inferred:tool_call
    alice model: alice-1 inferred:tool_result
    alice ehr:search: alice-1 inferred:tool_call
    alice model: alice-1 inferred:tool_result
    alice ehr:search: alice-1 inferred:tool_call
    alice model: alice-1 inferred:tool_result
    alice model: alice-1 inferred:tool_result
    ");
}

/// A chat of two turns, by what is asked and answered.
fn chat(turns: &[(&str, &str)], last: &str) -> String {
    let mut all = Vec::new();
    for (asked, answered) in turns {
        all.push(Turn::User((*asked).to_owned()));
        all.push(Turn::Model { text: (*answered).to_owned(), wishes: Vec::new() });
    }
    all.push(Turn::User(last.to_owned()));
    Dialect::OpenAiChat.request(&all)
}

fn says(text: &str) -> dialects::Reply {
    let answer = Turn::Model { text: text.to_owned(), wishes: Vec::new() };
    Dialect::OpenAiChat.reply("", &answer, false)
}

fn wants(id: &str, name: &str, arguments: &str) -> dialects::Reply {
    let wanted = Wanted { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
    let answer = Turn::Model { text: String::new(), wishes: vec![wanted] };
    Dialect::OpenAiChat.reply("", &answer, true)
}

#[test]
fn conversations_stay_apart_however_they_interleave() {
    let (mut world, no) = (World::default(), Says::default());
    world.model("alice", no, &chat(&[], "hello"), &says("Hello A."));
    world.model("alice", no, &chat(&[], "hello"), &says("Hello B."));
    world.model("alice", no, &chat(&[("hello", "Hello B.")], "and now?"), &says("B2"));
    world.model("alice", no, &chat(&[("hello", "  Hello\nA. ")], "and now?"), &says("A2"));
    world.model("alice", no, &chat(&[("hello", "Hello B."), ("and now?", "B2")], "end"), &says("same"));
    world.model("alice", no, &chat(&[("hello", "Hello A."), ("and now?", "A2")], "end"), &says("same"));
    // Another agent of hers, another user, another tenant: the same words are nobody's.
    for who in ["alice/planner", "bob", "alice@globex", "-/assistant"] {
        world.model(who, no, &chat(&[("hello", "Hello A.")], "and now?"), &says("A2"));
    }
    // A model that counts its calls anew in each conversation.
    for text in ["first", "second"] {
        world.model("alice", no, &chat(&[], text), &wants("call_0", "list_open", ""));
    }
    for text in ["first", "second"] {
        let wishes = vec![Wanted::new("call_0", "list_open", "")];
        let asked = Turn::Model { text: String::new(), wishes };
        let found = Turn::Result { id: "call_0".to_owned(), text: "none".to_owned() };
        let turns = [Turn::User(text.to_owned()), asked, found];
        world.model("alice", no, &Dialect::OpenAiChat.request(&turns), &says("None."));
    }
    // Two conversations that say the same up to here: which one it is, nobody can tell.
    world.model("alice", no, &chat(&[], "hello"), &says("Hello A."));
    world.model("alice", no, &chat(&[("hello", "Hello A.")], "and now?"), &says("A3"));
    insta::assert_snapshot!(world.told(), @r"
    alice model: alice-1 inferred:start
    alice model: alice-2 inferred:start
    alice model: alice-2 inferred:history
    alice model: alice-1 inferred:history
    alice model: alice-2 inferred:history
    alice model: alice-1 inferred:history
    alice/planner model: alice/planner-3 inferred:start
    bob model: bob-4 inferred:start
    alice@globex model: alice@globex-5 inferred:start
    -/assistant model: -/assistant-6 inferred:start
    alice model: alice-7 inferred:start
    alice model: alice-8 inferred:start
    alice model: alice-7 inferred:history
    alice model: alice-8 inferred:history
    alice model: alice-9 inferred:start
    alice model: alice-10 inferred:start
    ");
}

#[test]
fn a_tool_call_belongs_to_the_one_session_that_asked_for_it() {
    let (mut world, no) = (World::default(), Says::default());
    let a = world.model("alice", no, &chat(&[], "a"), &wants("call_a", "get_patient", r#"{"id":"p-17"}"#));
    world.tool("alice", no, "ehr:patients:{id}", "/patients/p-17", "");
    // Of other values, of somebody else, of none.
    world.tool("alice", no, "ehr:patients:{id}", "/patients/p-18", "");
    world.tool("bob", no, "ehr:patients:{id}", "/patients/p-17", "");
    world.tool("alice", no, "ehr:patients", "/patients", "");
    // Another session asks for the same: nobody can tell.
    world.model("alice", no, &chat(&[], "b"), &wants("call_b", "get_patient", r#"{"id":"p-17"}"#));
    world.tool("alice", no, "ehr:patients:{id}", "/patients/p-17", "");
    // Until one of them has its result.
    let result = [
        Turn::User("a".to_owned()),
        Turn::Model { text: String::new(), wishes: vec![Wanted::new("call_a", "get_patient", "{}")] },
        Turn::Result { id: "call_a".to_owned(), text: "found".to_owned() },
    ];
    let next = world.model("alice", no, &Dialect::OpenAiChat.request(&result), &says("done"));
    assert_eq!(next.session_id, a.session_id);
    world.tool("alice", no, "ehr:patients:{id}", "/patients/p-17", "");
    // The name tells apart what the values do not, and what has none.
    world.model("alice", no, &chat(&[], "c"), &wants("call_c", "mcp__ehr__search", r#"{"q":"x"}"#));
    world.model("alice", no, &chat(&[], "d"), &wants("call_d", "lookup", r#"{"q":"x"}"#));
    world.tool("alice", no, "ehr:search", "/search", r#"{"q":"x"}"#);
    world.tool("alice", no, "ehr:find", "/find", r#"{"q":"x"}"#);
    world.model("alice", no, &chat(&[], "e"), &wants("call_e", "list_open", ""));
    world.tool("alice", no, "ehr:list_open", "/list_open", "{}");
    world.tool("alice", no, "ehr:list_closed", "/list_closed", "{}");
    // As MCP says it.
    let message =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"q":"y"}}}"#;
    world.model("alice", no, &chat(&[], "f"), &wants("call_f", "ehr_search", r#"{"q":"y"}"#));
    world.tool("alice", no, "ehr:search", "/", message);
    insta::assert_snapshot!(world.told(), @r"
    alice model: alice-1 inferred:start
    alice ehr:patients:{id}: alice-1 inferred:tool_call
    alice ehr:patients:{id}: no session 
    bob ehr:patients:{id}: no session 
    alice ehr:patients: no session 
    alice model: alice-2 inferred:start
    alice ehr:patients:{id}: no session 
    alice model: alice-1 inferred:tool_result
    alice ehr:patients:{id}: alice-2 inferred:tool_call
    alice model: alice-3 inferred:start
    alice model: alice-4 inferred:start
    alice ehr:search: alice-3 inferred:tool_call
    alice ehr:find: no session 
    alice model: alice-5 inferred:start
    alice ehr:list_open: alice-5 inferred:tool_call
    alice ehr:list_closed: no session 
    alice model: alice-6 inferred:start
    alice ehr:search: alice-6 inferred:tool_call
    ");
}

#[test]
fn what_is_declared_comes_first() {
    let mut world = World::default();
    let body = |more: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{more}}}"#);
    let (t1, t2) = ("11111111111111111111111111111111", "22222222222222222222222222222222");
    let all = [("greffier-session-id", "ours"), ("session-id", "codex"), ("mcp-session-id", "m")];
    let user_id = r#","metadata":{"user_id":"{\"session_id\":\"claude\"}"},"conversation":{"id":"conv_1"}"#;
    let mut model = |headers, trace, token, more: &str| {
        world.model("alice", Says { headers, trace, token }, &body(more), &says("y"));
    };
    model(&all[..], Some(t1), Some("sid"), user_id);
    model(&all[1..], Some(t1), Some("sid"), user_id);
    model(&all[2..], Some(t1), Some("sid"), user_id);
    model(&all[2..], Some(t1), Some("sid"), r#","conversation":"conv_1""#);
    model(&[("baggage", "session.id=bag")], Some(t1), Some("sid"), "");
    model(&all[2..], Some(t1), Some("sid"), "");
    // The trace is known by now, of several sessions: it tells nothing, and is a name.
    model(&all[2..], Some(t1), None, "");
    model(&[], Some(t1), None, "");
    model(&[], Some(t2), None, "");
    model(&[], Some(t2), None, "");
    // A trace that began in a named session is that session's.
    model(&all[..1], Some("33333333333333333333333333333333"), None, "");
    model(&[], Some("33333333333333333333333333333333"), None, "");
    insta::assert_snapshot!(world.told(), @r"
    alice model: ours declared:header
    alice model: codex declared:agent
    alice model: claude declared:agent
    alice model: conv_1 declared:conversation
    alice model: bag declared:conversation
    alice model: sid declared:token
    alice model: m declared:mcp
    alice model: 11111111111111111111111111111111 declared:trace
    alice model: 22222222222222222222222222222222 declared:trace
    alice model: 22222222222222222222222222222222 declared:trace
    alice model: ours declared:header
    alice model: ours declared:trace
    ");
}

#[test]
fn replies_that_are_gone_on_from() {
    let (mut world, no) = (World::default(), Says::default());
    let ask =
        |previous: &str| format!(r#"{{"model":"m","input":"more","previous_response_id":"{previous}"}}"#);
    let answer = Turn::Model { text: "yes".to_owned(), wishes: Vec::new() };
    let reply = |id: &str| Dialect::OpenAiResponses.reply(id, &answer, true);
    world.model("alice", no, r#"{"model":"m","input":"begin"}"#, &reply("resp_1"));
    world.model("alice", no, &ask("resp_1"), &reply("resp_2"));
    world.model("alice", no, &ask("resp_2"), &reply("resp_3"));
    world.model("alice", no, &ask("resp_1"), &reply("resp_4"));
    world.model("bob", no, &ask("resp_1"), &reply("resp_5"));
    // Of an hour ago.
    world.seconds += 3_700;
    world.model("alice", no, &ask("resp_3"), &reply("resp_6"));
    world.model("alice", no, &ask("resp_3"), &reply("resp_7"));
    insta::assert_snapshot!(world.told(), @r"
    alice model: alice-1 inferred:start
    alice model: alice-1 inferred:response
    alice model: alice-1 inferred:response
    alice model: alice-1 inferred:response
    bob model: bob-2 inferred:start
    alice model: alice-3 inferred:start
    alice model: alice-3 inferred:response
    ");
}

#[test]
fn a_request_that_is_sent_again_is_no_new_one() {
    let (mut world, no) = (World::default(), Says::default());
    let again = Says { headers: &[("x-stainless-retry-count", "1")], ..no };
    let failed = dialects::Reply::Whole(r#"{"error":{"message":"overloaded"}}"#.to_owned());
    world.model("alice", no, &chat(&[], "hello"), &failed);
    world.model("alice", again, &chat(&[], "hello"), &says("Hello."));
    world.model(
        "alice",
        Says { headers: &[("x-stainless-retry-count", "0")], ..no },
        &chat(&[], "hello"),
        &says("Hi."),
    );
    insta::assert_snapshot!(world.told(), @r"
    alice model: alice-1 inferred:start
    alice model: alice-1 inferred:history
    alice model: alice-2 inferred:start
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever others do, a session has calls of one user with one agent in one tenant.
    #[test]
    fn no_session_has_two_owners(
        who in proptest::collection::vec((0..5_usize, 0..3_usize, any::<bool>(), 0..4_usize), 1..12),
    ) {
        let people = ["alice", "bob", "alice/planner", "alice@globex", "-/assistant"];
        let mut world = World::default();
        for (person, about, streams, dialect) in who {
            let about = ["Bob", "Eve", "Zoë"][about];
            world.agent(people[person], Dialect::ALL[dialect], streams, about);
        }
        for line in &world.log {
            let (who, session) = (line.split(' ').next().unwrap(), line.split(": ").nth(1).unwrap());
            prop_assert!(session.starts_with(&format!("{who}-")) || session.starts_with("no session"), "{line}");
        }
    }

    /// Nothing that anybody sends is too much for the readers.
    #[test]
    fn any_body_is_read(body in "\\PC{0,60}", text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        let digests = Digests::default();
        for body in [body, text.clone(), format!(r#"{{"messages":[{text}]}}"#), format!(r#"{{"input":{text}}}"#)] {
            let asked = Asked::read(body.as_bytes(), &digests);
            prop_assert!(asked.calls.len() <= 128 && asked.answers.len() <= 128);
            let mut heard = Heard::default();
            heard.whole(body.as_bytes(), &digests);
            heard.listen(format!("data: {body}\n\n").as_bytes(), &digests);
            prop_assert!(heard.over(&digests).len() <= 16);
        }
    }
}

#[test]
fn deep_and_wide_requests_are_read_within_bounds() {
    let digests = Digests::default();
    let deep = format!(r#"{{"messages":{}1{}}}"#, r#"[{"content":"#.repeat(60), "}]".repeat(60));
    assert_eq!(Asked::read(deep.as_bytes(), &digests).calls.len(), 0);
    let turns: Vec<String> =
        (0..1_000).map(|n| format!(r#"{{"role":"tool","tool_call_id":"c{n}","content":"x"}}"#)).collect();
    let wide = format!(r#"{{"messages":[{}]}}"#, turns.join(","));
    let asked = Asked::read(wide.as_bytes(), &digests);
    assert!(asked.calls.len() <= 128);
    assert_eq!(asked.calls.last(), Some(&(digests.of(&[b"c999"]), true)));
}
