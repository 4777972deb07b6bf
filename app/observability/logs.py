"""Logs as JSON lines: what happened, to which request or job, of ours and of the libraries alike."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import orjson
import structlog

_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "arq", "alembic")
"""Loggers whose libraries give them a handler and a format of their own; ours replaces it."""
_OURS = ("app", "workers")
"""Only ours go down to DEBUG: there, database drivers log every value they are given."""
_NOISY = ("opensearch", "uvicorn.access", "arq.worker", "alembic", "httpx2", "opentelemetry")


def frames_of(exc: BaseException) -> list[str]:
    """Where an error happened, innermost last; its message stays out, because it may hold a record's values."""
    return [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(exc.__traceback__)[-12:]]


def configure_logging(level: str = "INFO") -> None:
    """Sends our logs and the libraries' through one JSON formatter to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _place_instead_of_message,
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in _OWN_HANDLERS:
        theirs = logging.getLogger(name)
        theirs.handlers, theirs.propagate = [], True
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _place_instead_of_message(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A library that logs an exception gets its type and frames logged; its message may hold a value."""
    found = event.pop("exc_info", None)
    if found:
        exc = found[1] if isinstance(found, tuple) else found if isinstance(found, BaseException) else sys.exc_info()[1]
        if exc is not None:
            event["error_type"], event["frames"] = type(exc).__name__, frames_of(exc)
    event.pop("exc_text", None)
    return event


def _to_json(event: Any, default: Any = None, **options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")
