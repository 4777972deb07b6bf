"""A real S3 server on loopback, with one bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

_SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
input()
"""


@contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """Its URL; a process of its own, so that its warnings and threads are not ours."""
    arguments = [sys.executable, "-W", "ignore", "-c", _SERVER]
    with subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
        text=True,
    ) as process:
        assert process.stdout is not None
        port = next(line for line in process.stdout if line.strip().isdigit()).strip()
        url = f"http://127.0.0.1:{port}"
        try:
            assert httpx2.put(f"{url}/{bucket}").status_code == 200
            yield url
        finally:
            process.terminate()
