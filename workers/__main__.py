"""`python -m workers`: runs one worker until it is told to stop."""

from __future__ import annotations

import os
from typing import Any, cast

from arq.worker import get_kwargs

from app.config import Settings
from app.observability import configure_logging
from workers.enduring import EnduringWorker
from workers.settings import worker_settings

if __name__ == "__main__":
    settings = Settings()
    configure_logging(settings.log_level)
    os.nice(settings.worker_niceness)
    EnduringWorker(**cast(Any, get_kwargs(worker_settings()))).run()
