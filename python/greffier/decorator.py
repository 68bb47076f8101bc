"""Functions whose every call is an action on record."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, Dict, Optional, TypeVar, cast

from .agent import Action, AuditedAgent, set_result

Function = TypeVar("Function", bound=Callable[..., Any])


def audited(
    agent: AuditedAgent,
    action: Optional[str] = None,
    *,
    resource: Optional[str] = None,
    parameters: bool = True,
    result: bool = False,
    **fields: Any,
) -> Callable[[Function], Function]:
    """Puts each call of a function, or of a coroutine function, on record as an action of ``agent``.

    ``action``: its name; that of the function otherwise. ``parameters``: with its arguments, without ``self``.
    ``result``: with what it returned, cut at 1,000 characters. Further fields are those of an `AuditEvent`. Raises
    `TypeError` for a generator, which works when it is no longer being called.

    >>> import tempfile
    >>> from greffier import AsyncAuditLogger, FileAuditBackend
    >>> backend = FileAuditBackend(tempfile.mkdtemp() + "/audit.jsonl")
    >>> logger = AsyncAuditLogger(backend)
    >>> @audited(AuditedAgent("agent-001", logger), result=True)
    ... def add(a, b=1):
    ...     return a + b
    >>> add(2)
    3
    >>> logger.shutdown()
    True
    >>> [(event.action, event.parameters, event.result) for event in backend.query()]
    [('add', {'a': 2, 'b': 1}, None), ('add', {'a': 2, 'b': 1}, '3')]
    """

    def decorate(function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a generator works after its call: use `agent.audit_context` inside it")
        name = action or function.__name__
        signature = inspect.signature(function)

        def begin(args: Any, kwargs: Any) -> Action:
            said = arguments(signature, args, kwargs) if parameters else None
            return agent.action(name, resource=resource, parameters=said, **fields)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                async with begin(args, kwargs) as event:
                    returned = await function(*args, **kwargs)
                    if result:
                        set_result(event, returned)
                    return returned

            return cast(Function, awaited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as event:
                returned = function(*args, **kwargs)
                if result:
                    set_result(event, returned)
                return returned

        return cast(Function, called)

    return decorate


def arguments(signature: inspect.Signature, args: Any, kwargs: Any) -> Dict[str, Any]:
    """The arguments of a call, by name."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        # The call itself will say so.
        return {"args": list(args), **kwargs}
    bound.apply_defaults()
    first = next(iter(bound.arguments), None)
    return {name: value for name, value in bound.arguments.items() if name != first or name not in ("self", "cls")}
