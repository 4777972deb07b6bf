"""`python -m workers`: runs one worker until it is told to stop."""

from __future__ import annotations

import os

from arq.worker import run_worker

from app.config import Settings
from app.observability import configure_logging
from workers.settings import worker_settings

if __name__ == "__main__":
    settings = Settings()
    configure_logging(settings.log_level)
    os.nice(settings.worker_niceness)
    run_worker(worker_settings())
