"""`yinshi serve`: the web page and the HTTP API."""

from __future__ import annotations

import ipaddress
import os

import click

from yinshi.errors import MissingExtraError

IN_FRONT = """\
Whoever reaches {host} can use it. Put a proxy in front, which does TLS, limits the requests of each
address and keeps /metrics to yourself; name its address in FORWARDED_ALLOW_IPS, or all its users
count as one. docs/web.md has an example."""


@click.command("serve", short_help="Serve the web page and the HTTP API.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256),
              help="Processes, one core each.")  # fmt: skip
@click.option("--model", "models", multiple=True, metavar="PATH",
              help="A model file or a run's folder, or poet, which is shipped; the first is the "
              "default.")  # fmt: skip
def command(host: str, port: int, workers: int, models: tuple[str, ...]) -> None:
    """Serve the page at / and the API, which /docs describes, until Ctrl-C or SIGTERM.

    Both stop it gracefully: what was accepted is finished, what is new refused.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported
    try:
        from yinshi.apps.web import server
        from yinshi.apps.web.library import Library
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("yinshi"):
            raise
        raise MissingExtraError("yinshi serve", "web") from None

    Library.load(models)  # what is wrong with one is said here, once, and not by each worker
    listener = server.listen(host, port)
    _announce(host, listener.getsockname()[1])
    server.run(listener, models, workers)


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"http://{shown}:{port} (the API: /docs); Ctrl-C stops it", err=True)
    if not _is_loopback(host):
        click.echo(IN_FRONT.format(host=host), err=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
