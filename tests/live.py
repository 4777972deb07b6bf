"""The application behind a real port of this machine, for clients that speak HTTP themselves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def live(application: Any) -> AsyncIterator[str]:
    """Its base URL; the application was started before and is not stopped."""
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None))
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        serving = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
