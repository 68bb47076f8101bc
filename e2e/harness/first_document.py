"""The first founding document's own code, as it stands there, as far as it writes a log file."""

import json
import threading
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Dict, List, Optional


class AuditEventType(Enum):
    AGENT_START = "agent.start"
    AGENT_STOP = "agent.stop"
    ACTION_REQUEST = "action.request"
    ACTION_APPROVED = "action.approved"
    ACTION_DENIED = "action.denied"
    ACTION_EXECUTED = "action.executed"
    ACTION_FAILED = "action.failed"
    TOOL_CALL = "tool.call"
    TOOL_RESPONSE = "tool.response"
    DATA_ACCESS = "data.access"
    DATA_MODIFY = "data.modify"
    PERMISSION_CHECK = "permission.check"
    PERMISSION_DENIED = "permission.denied"
    ERROR = "error"


@dataclass
class AuditEvent:
    """A single audit log event"""
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = field(default_factory=lambda: datetime.utcnow().isoformat())
    event_type: AuditEventType = AuditEventType.ACTION_REQUEST
    agent_id: str = ""
    session_id: str = ""
    user_id: Optional[str] = None
    action: str = ""
    resource: Optional[str] = None
    parameters: Dict[str, Any] = field(default_factory=dict)
    result: Optional[str] = None
    error: Optional[str] = None
    duration_ms: Optional[float] = None
    metadata: Dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> Dict:
        return {
            "event_id": self.event_id,
            "timestamp": self.timestamp,
            "event_type": self.event_type.value,
            "agent_id": self.agent_id,
            "session_id": self.session_id,
            "user_id": self.user_id,
            "action": self.action,
            "resource": self.resource,
            "parameters": self._sanitize_params(self.parameters),
            "result": self.result,
            "error": self.error,
            "duration_ms": self.duration_ms,
            "metadata": self.metadata
        }

    def _sanitize_params(self, params: Dict) -> Dict:
        """Remove sensitive data from parameters"""
        sensitive_keys = ["password", "token", "secret", "key", "credential"]
        sanitized = {}

        for k, v in params.items():
            if any(sk in k.lower() for sk in sensitive_keys):
                sanitized[k] = "[REDACTED]"
            elif isinstance(v, dict):
                sanitized[k] = self._sanitize_params(v)
            else:
                sanitized[k] = v

        return sanitized


class AuditBackend(ABC):
    """Abstract backend for audit log storage"""

    @abstractmethod
    def write(self, event: AuditEvent):
        pass

    @abstractmethod
    def query(self, filters: Dict) -> List[AuditEvent]:
        pass


class FileAuditBackend(AuditBackend):
    """Write audit logs to file"""

    def __init__(self, log_path: str):
        self.log_path = log_path
        self._lock = threading.Lock()

    def write(self, event: AuditEvent):
        with self._lock:
            with open(self.log_path, 'a') as f:
                f.write(json.dumps(event.to_dict()) + '\n')

    def query(self, filters: Dict) -> List[AuditEvent]:
        raise NotImplementedError("only what it writes is of interest here")
