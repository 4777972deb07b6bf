"""A cable to a server that tests can cut and mend."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Cable:
    """Passes bytes on to the engine until it is cut."""

    host: str
    port: int
    listening: asyncio.Server | None = None
    at: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def mend(self) -> None:
        self.listening = await asyncio.start_server(self._serve, "127.0.0.1", self.at)
        self.at = self.listening.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self.listening is not None:
            self.listening.close()
        for writer in list(self.open):
            writer.transport.abort()
        self.open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        self.open |= {writer, far_writer}
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, RuntimeError):
            while block := await reader.read(65_536):
                writer.write(block)
                await writer.drain()
        writer.close()
