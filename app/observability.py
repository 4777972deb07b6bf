"""Logs as JSON lines: what happened, to which request or job; never a record's values."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

import structlog


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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("opensearch", "uvicorn.access", "arq.worker", "alembic", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
