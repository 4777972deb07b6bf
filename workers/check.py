"""`python -m workers.check`: succeeds while a worker reports itself healthy to the queue; the container's health check."""

from __future__ import annotations

import sys

from arq.worker import check_health

from workers.settings import worker_settings

if __name__ == "__main__":
    sys.exit(check_health(worker_settings()))
