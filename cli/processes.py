"""The long-running processes, each a command of its own in production and under `hexavox dev`."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.contact_key import require_contact_key
from cli.garbage_collection import collect_seldom, exempt_imported
from cli.listening import check_listens

if TYPE_CHECKING:
    from models.settings import Settings


def _ignore_early_hangup(settings: "Settings") -> None:
    """Ignore SIGHUP until it is handled, if it is going to be: the file is yet to be read."""
    if settings.providers_file is not None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def dev() -> None:
    """Run everything on embedded servers under one supervisor."""
    from cli.dev.command import run_dev

    raise typer.Exit(run_dev())


def api() -> None:
    """Serve the public API."""
    import uvicorn

    from api.app import create_app
    from api.http.server.client_limits import ClientLimits
    from api.http.server.server_protocol import protocol_with
    from cli.process_priority import lower_priority
    from models.settings import IncompleteSettings

    settings = _settings()
    if settings.server_secret is None:
        raise IncompleteSettings(
            "HEXAVOX_SERVER_SECRET is not set: it signs what the API hands out."
        )
    check_listens(settings.api_host, settings.api_port, "HEXAVOX_API_HOST", "HEXAVOX_API_PORT")
    lower_priority(settings.api_nice)
    _ignore_early_hangup(settings)
    app = create_app(settings)
    limits = ClientLimits(
        keep_alive=settings.keep_alive.total_seconds(), connections=settings.max_connections
    )
    collect_seldom()
    exempt_imported()
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=protocol_with(limits),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # handled by the application, for trusted proxies only
        timeout_graceful_shutdown=5,
    )


def worker(
    queue: Annotated[
        list[str] | None,
        typer.Option(
            help="Task queue to serve; may be repeated. `providers` means the queues of all "
            "accounts. Without it, all queues are served."
        ),
    ] = None,
) -> None:
    """Run workflows and activities."""
    import uvloop

    from cli.worker.process import run_worker

    settings = _settings()
    _ignore_early_hangup(settings)
    collect_seldom()
    exempt_imported()
    uvloop.run(run_worker(settings, queues=queue))


def simulator(
    in_production: Annotated[
        bool,
        typer.Option(
            "--in-production",
            help="Run under HEXAVOX_PROFILE=production too: it shows everybody's texts.",
        ),
    ] = False,
) -> None:
    """Serve the carrier simulator."""
    from cli.simulator import serve_simulator

    serve_simulator(in_production=in_production)


def replay(
    histories: Annotated[
        Path | None,
        typer.Argument(help="Folder of stored histories; without it, those of the server."),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many of the server's newest at most.")] = 200,
) -> None:
    """Replay workflow histories to check that this code may be deployed."""
    from cli.commands.replay import replay_histories
    from cli.temporal_environment import check_temporal

    if histories is None:
        check_temporal()
    failed = asyncio.run(replay_histories(histories, limit))
    raise typer.Exit(1 if failed else 0)


def _settings() -> "Settings":
    """Read the settings of a process that serves messages, and configure logging."""
    from cli.read_settings import read_settings
    from cli.temporal_environment import check_temporal
    from models.logs import configure_logging
    from models.settings import Settings

    settings = read_settings(Settings)
    settings.check_for_serving()
    require_contact_key(settings)
    settings.webhook_key()
    check_temporal()
    configure_logging(settings.log_level)
    return settings
