"""Makes the opensearch-py clients: asynchronous for retrieval, synchronous for builds; orjson in both."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import orjson
from opensearchpy import AsyncOpenSearch, JSONSerializer, OpenSearch
from opensearchpy.exceptions import SerializationError

from app.config import Settings

_SEARCH_CONNECTIONS = 64
_RETRIES = 1
"""One more try covers a kept-alive connection that the node closed; more would only add to an overload."""

# At DEBUG the library logs whole bodies, at WARNING every failure that we raise anyway.
logging.getLogger("opensearch").setLevel(logging.ERROR)
logging.getLogger("opensearchpy.trace").setLevel(logging.ERROR)


class _OrjsonSerializer(JSONSerializer):
    def loads(self, s: str) -> Any:
        try:
            return orjson.loads(s)
        except orjson.JSONDecodeError as exc:
            raise SerializationError(s[:200], exc) from exc

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, str | bytes) else orjson.dumps(data)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine is and how to log in; picklable, so that build processes can take it along."""

    url: str
    login: tuple[str, str] | None = None
    ca_file: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Endpoint:
        password = settings.opensearch_password
        login = None
        if settings.opensearch_username is not None and password is not None:
            login = (settings.opensearch_username, password.get_secret_value())
        ca_file = settings.opensearch_ca_file
        return cls(settings.opensearch_url, login, str(ca_file) if ca_file else None)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"hosts": [self.url], "serializer": _OrjsonSerializer(), "max_retries": _RETRIES}
        if self.login is not None:
            options["http_auth"] = self.login
        if self.ca_file is not None:
            options["ca_certs"] = self.ca_file
        return options

    def async_client(self, timeout_ms: int) -> AsyncOpenSearch:
        return AsyncOpenSearch(**self._options(), timeout=timeout_ms / 1000, pool_maxsize=_SEARCH_CONNECTIONS)

    def client(self, timeout_s: float) -> OpenSearch:
        # No retry: a bulk request that timed out may have been carried out, and auto-generated ids would double it.
        return OpenSearch(**{**self._options(), "max_retries": 0}, timeout=timeout_s, pool_maxsize=4)
