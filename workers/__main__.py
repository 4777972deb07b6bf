"""`python -m workers`: runs one worker until it is told to stop."""

from __future__ import annotations

from arq.worker import run_worker

from app.config import Settings
from app.observability import configure_logging
from workers.settings import worker_settings

if __name__ == "__main__":
    configure_logging(Settings().log_level)
    run_worker(worker_settings())
