"""LangChain's tools, models and retrievers as actions on record. Needs ``langchain-core``.

.. code-block:: python

    chain.invoke("…", config={"callbacks": [AuditCallbackHandler(agent)]})
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from ._runs import Runs
from .agent import AuditedAgent
from .event import AuditEvent


class AuditCallbackHandler(BaseCallbackHandler):
    """Records what a chain or an agent of LangChain does as actions of ``agent``: ``tool.NAME``, ``llm.NAME``,
    ``retriever.NAME``; their call's id is LangChain's run. If the agent's logger fails closed, what cannot be put on
    record is not begun."""

    #: In the caller's order and thread: a request is on record before its tool runs.
    run_inline = True

    def __init__(self, agent: AuditedAgent) -> None:
        super().__init__()
        self.raise_error = agent.logger.fail_closed
        self._runs = Runs(agent)

    def _begin(
        self, what: str, serialized: Optional[Dict[str, Any]], run_id: UUID, said: Dict[str, Any], more: Any
    ) -> None:
        name = more.get("name") or (serialized or {}).get("name") or what
        parent = more.get("parent_run_id")
        self._runs.begin(
            str(run_id),
            f"{what}.{name}",
            kind="data" if what == "retriever" else what,
            parameters=said,
            metadata={"parent_run_id": str(parent)} if parent else {},
        )

    def _failed(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._runs.end(str(run_id), error=error)

    on_tool_error = on_llm_error = on_retriever_error = _failed

    def on_tool_start(self, serialized: Dict[str, Any], input_str: str, *, run_id: UUID, **more: Any) -> None:
        """A tool is about to be used."""
        inputs = more.get("inputs")
        self._begin("tool", serialized, run_id, inputs if inputs is not None else {"input": input_str}, more)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool was used."""
        self._runs.end(str(run_id), result=getattr(output, "content", output))

    def on_llm_start(self, serialized: Dict[str, Any], prompts: List[str], *, run_id: UUID, **more: Any) -> None:
        """A model is about to be asked."""
        self._begin("llm", serialized, run_id, {"prompts": prompts}, more)

    def on_chat_model_start(
        self, serialized: Dict[str, Any], messages: List[List[Any]], *, run_id: UUID, **more: Any
    ) -> None:
        """A chat model is about to be asked."""
        said = [[{"role": message.type, "content": message.content} for message in batch] for batch in messages]
        self._begin("llm", serialized, run_id, {"messages": said}, more)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """A model answered."""
        first = next((one for batch in response.generations for one in batch), None)
        used = getattr(getattr(first, "message", None), "usage_metadata", None) or {}
        model = (response.llm_output or {}).get("model_name")

        def fill(event: AuditEvent) -> None:
            usage = {
                "model": model,
                "input_tokens": used.get("input_tokens"),
                "output_tokens": used.get("output_tokens"),
            }
            event.usage = {name: value for name, value in usage.items() if value is not None} or None

        self._runs.end(str(run_id), result=getattr(first, "text", None), fill=fill)

    def on_retriever_start(self, serialized: Dict[str, Any], query: str, *, run_id: UUID, **more: Any) -> None:
        """Documents are about to be looked for."""
        self._begin("retriever", serialized, run_id, {"query": query}, more)

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **_: Any) -> None:
        """Documents were found."""
        self._runs.end(str(run_id), result=f"{len(documents)} documents")
