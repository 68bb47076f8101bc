"""The real packages of LangChain and of OpenAI's Agents SDK, each recording what it does."""

import asyncio

import pytest

from greffier import AsyncAuditLogger, AuditedAgent


def told(lines):
    return [(line["event_type"], line["action"]) for line in lines]


def assert_joined(request, outcome):
    assert request["request_id"] == outcome["request_id"] and request["call_id"] == outcome["call_id"]


class TestLangChain:
    @pytest.fixture(autouse=True)
    def handler(self, agent):
        pytest.importorskip("langchain_core", reason="not for this Python")
        from greffier.langchain import AuditCallbackHandler

        self.config = {"callbacks": [AuditCallbackHandler(agent)]}

    def tool(self, work):
        from langchain_core.tools import tool

        @tool
        def search(q: str, api_key: str = "k") -> str:
            """Searches."""
            return work(q)

        return search

    def test_a_tool(self, recorded):
        search = self.tool(lambda q: f"found {q}")
        assert search.invoke({"q": "x", "api_key": "sk-1"}, config=self.config) == "found x"
        request, outcome = recorded()
        assert told([request, outcome]) == [("action.request", "tool.search"), ("action.executed", "tool.search")]
        assert_joined(request, outcome)
        assert request["parameters"] == {"q": "x", "api_key": "[REDACTED]"}
        assert (outcome["result"], outcome["kind"]) == ("found x", "tool")

    def test_a_tool_that_fails(self, recorded):
        def work(q):
            raise PermissionError("not you")

        with pytest.raises(PermissionError):
            self.tool(work).invoke({"q": "x"}, config=self.config)
        assert told(recorded())[1] == ("permission.denied", "tool.search")

    def test_coroutines(self, recorded):
        search = self.tool(lambda q: "found")
        asyncio.run(search.ainvoke({"q": "x"}, config=self.config))
        assert told(recorded()) == [("action.request", "tool.search"), ("action.executed", "tool.search")]

    def test_a_chat_model(self, recorded):
        from langchain_core.language_models.fake_chat_models import FakeListChatModel

        model = FakeListChatModel(responses=["hello"])
        assert model.invoke("hi", config=self.config).content == "hello"
        request, outcome = recorded()
        assert request["parameters"] == {"messages": [[{"role": "human", "content": "hi"}]]}
        assert (outcome["result"], outcome["kind"], outcome["event_type"]) == ("hello", "llm", "action.executed")

    def test_what_is_not_on_record_is_not_done(self, away):
        from greffier import NotLogged
        from greffier.langchain import AuditCallbackHandler

        done = []
        logger = AsyncAuditLogger(away, overflow="write_through", fail_closed=True)
        config = {"callbacks": [AuditCallbackHandler(AuditedAgent("a", logger))]}
        with pytest.raises(NotLogged):
            self.tool(done.append).invoke({"q": "x"}, config=config)
        assert done == []


class TestOpenAIAgents:
    @pytest.fixture(autouse=True)
    def sdk(self, agent):
        agents = pytest.importorskip("agents", reason="not for this Python")
        from greffier.openai_agents import AuditTracingProcessor

        agents.set_trace_processors([AuditTracingProcessor(agent)])
        yield
        agents.set_trace_processors([])

    def test_a_run(self, recorded):
        from agents import Agent, ModelResponse, Runner, Usage, function_tool
        from agents.models.interface import Model
        from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

        class Scripted(Model):
            """Uses the tool once, and then answers."""

            def __init__(self):
                self.answers = [
                    ResponseFunctionToolCall(
                        name="search", call_id="c1", arguments='{"q": "x"}', type="function_call", id="f1"),
                    ResponseOutputMessage(
                        id="m1", role="assistant", status="completed", type="message",
                        content=[ResponseOutputText(text="found 3", type="output_text", annotations=[])]),
                ]

            async def get_response(self, *args, **kwargs):
                return ModelResponse(output=[self.answers.pop(0)], usage=Usage(), response_id=None)

            def stream_response(self, *args, **kwargs):
                raise NotImplementedError

        @function_tool
        def search(q: str) -> str:
            return "3 orders"

        agent = Agent(name="crm", instructions="Search.", tools=[search], model=Scripted())
        assert asyncio.run(Runner.run(agent, "orders?")).final_output == "found 3"
        lines = recorded()
        assert ("agent.start", "crm") in told(lines) and ("agent.stop", "crm") in told(lines)
        request, outcome = [line for line in lines if line["action"] == "tool.search"]
        assert_joined(request, outcome)
        assert (outcome["event_type"], outcome["result"], outcome["parameters"]) == (
            "action.executed", "3 orders", {"input": '{"q": "x"}'})
        assert len({line["session_id"] for line in lines}) == 1

    def test_spans_of_other_kinds(self, recorded):
        from agents import generation_span, guardrail_span, handoff_span, trace

        with trace("work"):
            with generation_span(input=[{"role": "user", "content": "hi"}], model="m", usage={"input_tokens": 3}):
                pass
            with guardrail_span("no secrets", triggered=True):
                pass
            with handoff_span("a", "b") as span:
                span.set_error({"message": "nobody there", "data": None})
        lines = recorded()
        assert told(lines) == [
            ("action.request", "llm.m"), ("action.executed", "llm.m"), ("permission.check", "no secrets"),
            ("action.request", "handoff.handoff"), ("action.failed", "handoff.handoff")]
        assert lines[1]["usage"] == {"input_tokens": 3, "model": "m"}
        assert lines[2]["result"] == "triggered" and lines[4]["error"] == "nobody there"
