"""What operators see of a process: logs, metrics and traces; never a record's values and never a key."""

from app.observability.logs import configure_logging, frames_of

__all__ = ["configure_logging", "frames_of"]
