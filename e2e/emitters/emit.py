"""A program under telemetry, as its users write it: `emit.py WHAT`, all else by the variables that SDKs read."""

import os
import sys

from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

MESSAGES = [{"role": "user", "content": "say hello"}]


def chat():
    import openai

    openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)


def genai():
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    chat()


def openinference():
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    with using_attributes(session_id=os.environ["SESSION"], user_id="auth0|8f3a"):
        chat()


def anthropic():
    """The SDK tells of itself."""
    import anthropic

    client = anthropic.Anthropic(max_retries=0)
    client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=MESSAGES)


def tool():
    """What a framework does around a tool, by hand."""
    tracer = trace.get_tracer("suite", "1")
    with tracer.start_as_current_span("invoke_agent crm") as agent:
        agent.set_attributes({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "crm",
                              "gen_ai.conversation.id": os.environ["SESSION"]})
        with tracer.start_as_current_span("execute_tool lookup") as span:
            span.set_attributes({
                "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup", "gen_ai.tool.call.id": "call_1",
                "gen_ai.conversation.id": os.environ["SESSION"],
                "gen_ai.tool.call.arguments": '{"ssn": "536-90-4399"}', "gen_ai.tool.call.result": "[]",
            })


def agents():
    """The Agents SDK with its own exporter, pointed here as its documentation says."""
    from agents import agent_span, function_span, set_trace_processors, trace as workflow
    from agents.tracing.processors import BackendSpanExporter, BatchTraceProcessor

    exporter = BackendSpanExporter(api_key=os.environ["TOKEN"], endpoint=os.environ["INGEST"])
    processor = BatchTraceProcessor(exporter)
    set_trace_processors([processor])
    with workflow("CRM", group_id=os.environ["SESSION"]), agent_span("crm"):
        with function_span("lookup", input='{"account": "Acme"}', output="customer"):
            pass
    processor.shutdown()


def main(what):
    providers = TracerProvider(), LoggerProvider(), MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    providers[0].add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    providers[1].add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    trace.set_tracer_provider(providers[0])
    _logs.set_logger_provider(providers[1])
    providers[2].get_meter("suite").create_counter("calls").add(1)
    {"genai": genai, "openinference": openinference, "anthropic": anthropic, "tool": tool, "agents": agents}[what]()
    for provider in providers:
        provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
