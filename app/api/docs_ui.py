"""The documentation page at /docs, whole from this process: no other host is asked for its scripts and styles."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Inline styles are what Swagger UI itself writes; scripts come from the files below alone."""
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}
_CACHED = {"Cache-Control": "public, max-age=86400"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FoundryOps API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="documentation"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  displayOperationId: true,
});
"""


@router.get("/docs")
async def documentation() -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    if name == "start.js":
        return Response(_START, 200, _CACHED, "text/javascript; charset=utf-8")
    if name not in _ASSETS:
        raise HTTPException(404, "Not Found")
    return Response(_read(name), 200, _CACHED, _ASSETS[name])


@lru_cache(maxsize=len(_ASSETS))
def _read(name: str) -> bytes:
    folder = "fastapi" if name == "favicon.png" else "swagger"
    return files("fastapi_standalone_docs").joinpath("static", folder, name).read_bytes()
