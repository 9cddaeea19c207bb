"""Files that are served as they are: the page's own, and those of the API viewer.

Each is read and compressed once, when it is first asked for, and kept. A name is looked up among
the files that were found at the start, so that no path leads anywhere else.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yinshi.errors import ModelFileError

#: Not from the system's tables, which differ; nosniff makes a wrong one fatal.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
#: Which of them are compressed already.
DENSE = {".png", ".woff2"}
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"

VIEWER = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>yinshi: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body><div id="swagger-ui"></div></body>
</html>
"""
#: The validator would be a stranger's server.
START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: "none",
});
"""


@dataclass(frozen=True)
class File:
    """`content` as it is served, in `media_type`, kept by browsers as `caching` says."""

    media_type: str
    caching: str
    path: Path | None = None
    text: str = ""

    @cached_property
    def content(self) -> bytes:
        return self.path.read_bytes() if self.path else self.text.encode()

    @cached_property
    def compressed(self) -> bytes | None:
        """None where that gains nothing."""
        if self.path and self.path.suffix in DENSE:
            return None
        return gzip.compress(self.content, mtime=0)

    @cached_property
    def tag(self) -> str:
        return f'W/"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    def response(self, request: Request) -> Response:
        """304 where the browser has it already."""
        headers = {"Cache-Control": self.caching, "ETag": self.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(None, 304, headers)
        content = self.content
        if self.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = self.compressed, "gzip"
        return Response(content, 200, headers, self.media_type)


def page_files(folder: Path) -> dict[str, File]:
    """URL path → file of the built page: index.html is /, what is in assets/ has hashed names.

    Raises ModelFileError where there is no page.
    """
    if not (folder / "index.html").is_file():
        raise ModelFileError(
            f"{folder / 'index.html'}: no such file; the package is not whole, install it anew"
        )
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix in TYPES:
            caching = IMMUTABLE if name.startswith("assets/") else REVALIDATED
            found[f"/{name}"] = File(TYPES[path.suffix], caching, path)
    found["/"] = found["/index.html"]
    return found


def viewer_files() -> dict[str, File]:
    """URL path → file of the API viewer, which is Swagger UI as `fastapi_offline` carries it."""
    carried = Path(str(resources.files("fastapi_offline"))) / "static"
    return {
        "/docs": File(TYPES[".html"], REVALIDATED, text=VIEWER),
        "/docs/start.js": File(TYPES[".js"], REVALIDATED, text=START),
        **{
            f"/docs/{name}": File(TYPES[Path(name).suffix], REVALIDATED, carried / name)
            for name in ("swagger-ui.css", "swagger-ui-bundle.js")
        },
    }


def routes(files: Mapping[str, File]) -> list[BaseRoute]:
    """Of `files`, one each: what is none of them is nobody's."""
    return [Route(path, file.response, methods=["GET"]) for path, file in files.items()]
