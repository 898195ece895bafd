"""The long-running processes, each a command of its own in production as under `hexavox dev`."""

import asyncio
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.settings import Settings


_ALLOCATIONS_PER_COLLECTION = 50_000
"""Python's own few hundred cost the API and a worker a tenth of their time (`make bench`): almost
everything they make is freed by its reference count."""


def _collect_seldom() -> None:
    """Let the collector look rarely, and never at what the imports made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 20, 50)


def dev() -> None:
    """Run everything on embedded parts, under one supervisor."""
    from cli.dev import run_dev

    raise typer.Exit(run_dev())


def api() -> None:
    """Serve the public API."""
    import uvicorn

    from api.app import create_app

    settings = _settings()
    app = create_app(settings)
    _collect_seldom()
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # seen to by the application, and only for proxies that are trusted
        timeout_graceful_shutdown=5,
    )


def worker(
    queue: Annotated[
        list[str] | None,
        typer.Option(help="Task queue to serve; may be repeated. All of them unless told."),
    ] = None,
) -> None:
    """Carry out workflows and their steps."""
    import uvloop

    from cli.worker import run_worker
    from models.settings import IncompleteSettings

    settings = _settings()
    _collect_seldom()
    try:
        uvloop.run(run_worker(settings, queues=queue))
    except IncompleteSettings as error:
        raise typer.BadParameter(str(error)) from error


def simulator() -> None:
    """Serve the carrier simulator."""
    from providers import simulated
    from simulator.server import serve

    settings = _settings()
    if settings.simulator_secret is None:
        raise typer.BadParameter("HEXAVOX_SIMULATOR_SECRET is not set: it signs the webhooks.")
    serve(
        host=settings.simulator_host,
        port=settings.simulator_port,
        signing_secret=settings.simulator_secret.get_secret_value(),
        data_dir=settings.simulator_data_dir,
        inbound_url=f"{settings.public_url.rstrip('/')}/webhooks/{simulated.NAME}/inbound",
    )


def replay(
    histories: Annotated[
        Path | None,
        typer.Argument(help="Folder of stored histories; without it, those of the server."),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many of the server's newest at most.")] = 200,
) -> None:
    """Replay workflow histories against this code, to see whether it may be deployed."""
    from cli.replay import replay_histories

    failed = asyncio.run(replay_histories(histories, limit))
    raise typer.Exit(1 if failed else 0)


def _settings() -> "Settings":
    """Read the settings of a process that serves, and make its logs."""
    from models.logs import configure_logging
    from models.settings import IncompleteSettings, Settings

    settings = Settings()
    try:
        settings.check_for_serving()
    except IncompleteSettings as error:
        raise typer.BadParameter(str(error)) from error
    configure_logging(settings.log_level)
    return settings
