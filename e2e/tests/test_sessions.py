"""Agents that send no header at all: which of their calls stand together, seen by `greffier session`."""

import json

import pytest

from harness.api import fresh, native

TOOL = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}}}


class OpenAi:
    """An agent's loop over chat completions, as its SDK's documentation has it."""

    def __init__(self, sdk, greffier, token, streams):
        self.client, self.streams, self.messages = sdk.openai(greffier, token), streams, []

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def turn(self):
        """One call to the model; the tool call it asks for, if any."""
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": TOOL}}]
        ask = {"model": "gpt-4o-mini", "messages": self.messages, "tools": tools}
        if self.streams:
            with self.client.chat.completions.stream(**ask) as stream:
                stream.until_done()
                message = stream.get_final_completion().choices[0].message
        else:
            message = self.client.chat.completions.create(**ask).choices[0].message
        kept = {"role", "content", "tool_calls"}
        said = {key: value for key, value in message.model_dump(exclude_none=True).items() if key in kept}
        for call in said.get("tool_calls") or []:
            call["function"] = {key: call["function"][key] for key in ("name", "arguments")}
        self.messages.append(said)
        return (message.tool_calls[0].id, json.loads(message.tool_calls[0].function.arguments)) if message.tool_calls else None

    def result(self, call, text):
        self.messages.append({"role": "tool", "tool_call_id": call, "content": text})


class Anthropic:
    """The same over Anthropic messages."""

    def __init__(self, sdk, greffier, token, streams):
        self.client, self.streams, self.messages = sdk.anthropic(greffier, token), streams, []

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def turn(self):
        tools = [{"name": "get_weather", "input_schema": TOOL}]
        ask = {"model": "claude-sonnet-4-5", "max_tokens": 256, "messages": self.messages, "tools": tools}
        if self.streams:
            with self.client.messages.stream(**ask) as stream:
                message = stream.get_final_message()
        else:
            message = self.client.messages.create(**ask)
        self.messages.append({"role": "assistant", "content": message.content})
        call = next((block for block in message.content if block.type == "tool_use"), None)
        return (call.id, call.input) if call else None

    def result(self, call, text):
        self.say([{"type": "tool_result", "tool_use_id": call, "content": text}])


class Weather:
    """One request of a person: the model asks for the weather, the agent calls the tool, the model answers."""

    def __init__(self, agent, http, place):
        self.agent, self.http, self.place = agent, http, place

    def steps(self):
        for round in range(3):
            self.agent.say(f"what is the weather {self.place}, try {round}")
            call = self.agent.turn()
            yield
            while call:
                name, arguments = call
                reply = self.http.get("/tools/crm/weather", params=arguments)
                assert reply.status_code == 200, reply.text
                yield
                self.agent.result(name, reply.text)
                call = self.agent.turn()
                yield


def decisions(greffier, since):
    events = [event for event in greffier.events() if event["_index"] >= since and event["type"] == "action.approved"]
    return [event for event in events if event["source"]["channel"] == "gateway"]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", [OpenAi, Anthropic])
def test_the_calls_of_one_request_are_one_session(install, sdk, alice, kind, streams):
    greffier = install().start()
    with sdk.http(greffier, alice) as http:
        for _ in Weather(kind(sdk, greffier, alice, streams), http, "in Ghent").steps():
            pass
    greffier.stop()
    calls = decisions(greffier, 0)
    assert len(calls) >= 9
    names = {call.get("session_id") for call in calls}
    links = [call.get("session_link") for call in calls]
    assert len(names) == 1, list(zip(links, (call["action"]["name"] for call in calls), strict=True))
    assert links[0] == "inferred:start" and all(link.startswith("inferred:") for link in links)
    assert {"inferred:tool_call"} == {call["session_link"] for call in calls if call["action"]["kind"] == "tool"}

    # As people see it, and as programs do.
    (name,) = names
    where = ("--data", greffier.data, "--tenant", "org_acme_corp", "--keys", greffier.keys)
    shown = greffier.run("session", name, *where, "-o", "table")
    assert shown.returncode == 0, shown.stderr
    steps = f"{len(calls)} steps, {len(calls)} by inference"
    assert steps in shown.stdout.splitlines()[0] and "(link inferred: tool call)" in shown.stdout
    told = greffier.run("session", name, *where, "-o", "jsonl")
    outcomes = [json.loads(line) for line in told.stdout.splitlines() if '"action.executed"' in line]
    assert [event["session_link"] for event in outcomes] == links
    assert greffier.verify().returncode == 0


def test_two_conversations_at_once_stay_two(install, sdk, alice, people):
    greffier = install().start()
    with sdk.http(greffier, alice) as http:
        first = Weather(OpenAi(sdk, greffier, alice, True), http, "by the sea").steps()
        second = Weather(Anthropic(sdk, greffier, alice, False), http, "in the hills").steps()
        # Each in turn: both models ask for the same call, under the same id.
        running = [first, second]
        while running:
            running = [steps for steps in running if next(steps, running) is None]
    greffier.stop()
    calls = decisions(greffier, 0)
    by_model = {}
    for call in calls:
        if call["action"]["kind"] == "llm":
            by_model.setdefault(call["resource"]["uri"], set()).add(call["session_id"])
    sessions = list(by_model.values())
    assert [len(names) for names in sessions] == [1, 1] and sessions[0] != sessions[1], by_model
    tools = [call.get("session_id") for call in calls if call["action"]["kind"] == "tool"]
    assert None in tools, "while two sessions wish for the same call, it belongs to neither"


def test_a_session_that_is_cut_says_so(api, greffier):
    """An answer has its bound: what is beyond it is counted, and said."""
    session, more = f"s-{fresh()}", 3
    api("oscar").add([native(session_id=session) for _ in range(10_000 + more)])
    told = api("audra").told(f"/api/v1/sessions/{session}", parts="false")
    assert (len(told["events"]), told["totals"]["events"], told["left_out"]) == (10_000, 10_000, more)
    files = ("--data", greffier.data, "--tenant", "org_acme_corp", "-o", "json")
    done = greffier.run("session", session, *files)
    assert json.loads(done.stdout)["left_out"] == more and f"{more} events" in done.stderr, done.stderr


def test_what_a_client_declares_is_taken(greffier, sdk, alice, api):
    client = sdk.openai(greffier, alice)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    def ask(**headers):
        reply = client.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "say hello"}],
            extra_headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        request_id = reply.headers["greffier-request-id"]
        event = next(event for event in greffier.events() if event.get("request_id") == request_id)
        return event["session_id"], event["session_link"]

    parent = f"00-{trace}-00f067aa0ba902b7-01"
    assert ask(traceparent=parent) == (trace, "declared:trace")
    assert ask(traceparent=parent, session_id="codex-7") == ("codex-7", "declared:agent")
    assert ask(greffier_session_id="mine", session_id="codex-7") == ("mine", "declared:header")
    session = api("audra").told("/api/v1/sessions/codex-7")
    assert session["inferred"] == 0 and session["calls"][0]["session_link"] == "declared:agent"
