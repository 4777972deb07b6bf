"""What must be done once per start while OpenSearch boots: a command of ours that migrates and answers with the key."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from app.embedded.errors import StackError
from app.embedded.process import Guard

_TAIL_LINES = 20


class Preparation:
    """Runs the command beside the engines; its standard output is one JSON object (for instance `{"api_key": …}`)."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], guard: Guard) -> None:
        self._guard = guard
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            list(command),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            start_new_session=True,
        )
        guard.add(self._process.pid)

    def result(self) -> dict[str, Any] | None:
        """None while it runs. Raises StackError with the end of its messages if it failed."""
        code = self._process.poll()
        if code is None:
            return None
        self._guard.remove(self._process.pid)
        self._output.seek(0)
        self._errors.seek(0)
        if code != 0:
            tail = self._errors.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
            raise StackError("cannot prepare the database:\n" + "\n".join(tail))
        content = json.loads(self._output.read())
        assert isinstance(content, dict)
        return content
