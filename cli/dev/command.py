"""`hexavox dev`: runs the whole system on one machine under a supervisor."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from rich.console import Console

from cli.command_errors import OTHER_VERSION
from cli.dev.account import AccountError
from cli.dev.child_process import Program, ProgramFailedError
from cli.dev.demo import DemoFailedError, DemoKey, kept_key, make_key, write_down, write_operator
from cli.dev.dev_settings import DevSettings, PortTakenError
from cli.dev.local_http import status_of
from cli.dev.postgres import EmbeddedPostgres
from cli.dev.private_files import FolderBusyError, take_lock
from cli.dev.startup_banner import print_banner
from cli.dev.supervisor import Child, Service, ServiceFailedError, StopAskedError, Supervisor
from cli.dev.temporal import EmbeddedTemporal
from cli.read_settings import read_settings
from cli.temporal_environment import check_temporal
from models.configuration.accounts import read_configuration
from models.configuration.setting_types import SHORTEST_SECRET
from models.configuration.simulator_settings import SimulatorSettings
from models.settings import Profile, Settings

API_NICE = "5"

_PROVIDERS_FILE: Final = Settings.variables()["providers_file"]

EXPECTED = (
    AccountError,
    DemoFailedError,
    FolderBusyError,
    PortTakenError,
    ProgramFailedError,
    ServiceFailedError,
)


def run_dev(command: Sequence[str] = ()) -> int:
    """Start everything, print the addresses, and supervise until asked to stop.

    `command` replaces `hexavox` in tests. Raises BadSettings.
    """
    console = Console(highlight=False)
    os.umask(0o077)  # files of this process and its children are private
    try:
        settings = DevSettings.read(os.environ)
        _check_settings(settings)
        settings.make_folder()
        busy = (
            f"HexaVox already runs in {settings.data_dir}: stop it first, or set HEXAVOX_DATA_DIR"
        )
        with (
            take_lock(settings.data_dir / "lock", busy),
            Supervisor(_teller(console)) as supervisor,
        ):
            supervisor.listen_to_signals()
            settings.close_files()
            settings.check_ports()
            try:
                DevStart(settings, supervisor, command or our_command()).run(console)
                supervisor.wait()
            except StopAskedError:
                pass
            console.print("Stopping …", markup=False)
    except EXPECTED as error:
        Console(stderr=True, highlight=False).print(
            f"HexaVox stopped: {error}", markup=False, soft_wrap=True
        )
        return 1
    console.print("Stopped. The data stay where they are.", markup=False)
    return 0


def _check_settings(settings: DevSettings) -> None:
    """Raise BadSettings for what any of the processes would refuse, before one is started."""
    fixed: dict[str, object] = {
        "api_port": settings.api_port,
        "profile": os.environ.get("HEXAVOX_PROFILE") or Profile.DEMO,
        "public_url": os.environ.get("HEXAVOX_PUBLIC_URL") or settings.api_url,
    }
    if settings.database_url is None:
        fixed["database_url"] = "postgresql://embedded"
    ours = read_settings(Settings, **fixed)
    read_configuration(ours.providers_file, os.environ)
    secrets = {"simulator_secret": "x" * SHORTEST_SECRET, "simulator_token": "x" * SHORTEST_SECRET}
    names = SimulatorSettings.variables()
    made = {name: value for name, value in secrets.items() if not os.environ.get(names[name])}
    read_settings(SimulatorSettings, **made)
    check_temporal()


def our_command() -> list[str]:
    """Return the command that runs `hexavox`: its console script, which `ps` shows, or the
    module.
    """
    script = Path(sys.executable).with_name("hexavox")
    return [str(script)] if script.exists() else [sys.executable, "-m", "cli"]


class DevStart:
    """One start, until all services respond."""

    def __init__(
        self, settings: DevSettings, supervisor: Supervisor, command: Sequence[str]
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._command = command
        self._dev_env = settings.data_dir / "dev.env"
        self._operator = settings.data_dir / "hexavox"
        self._temporal_ui_url = ""

    def run(self, console: Console) -> None:
        """Start independent services concurrently, then dependent ones; then print the table."""
        began = monotonic()
        postgres, temporal = self._start_engines()
        self._supervisor.wait_ready(*(engine for engine in (postgres, temporal) if engine))
        database_url = self._settings.database_url or (postgres.url if postgres else "")
        address = self._settings.temporal_address or (temporal.address if temporal else "")
        environment = partial(
            self._settings.environment, database_url=database_url, temporal_address=address
        )
        url = self._settings.simulator_url
        simulator = self._child("simulator", f"{url}/healthz", environment("simulator"))
        self._supervisor.keep(simulator)
        self._migrate(environment("migrate"))
        worker = self._child("worker", self._settings.worker_health_url, environment("worker"))
        # The worker has priority over the API: otherwise a flood of requests starves it.
        api_env = {"HEXAVOX_API_NICE": API_NICE, **environment("api")}
        api = self._child("api", f"{self._settings.api_url}/readyz", api_env)
        self._supervisor.keep(worker)
        self._supervisor.keep(api)
        key = self._find_key(environment("key"), api, (simulator, worker))
        self._write_dev_env(key)
        known = {"DATABASE_URL": database_url, "TEMPORAL_ADDRESS": address}
        if file := os.environ.get(_PROVIDERS_FILE):
            known[_PROVIDERS_FILE] = str(Path(file).absolute())
        write_operator(self._operator, self._command, known)
        self._show(console, monotonic() - began)

    def _start_engines(self) -> tuple[EmbeddedPostgres | None, EmbeddedTemporal | None]:
        """Start Postgres and Temporal, unless the environment configures others."""
        postgres, temporal = None, None
        if self._settings.database_url is None:
            folder = self._settings.data_dir / "postgres"
            postgres = EmbeddedPostgres(folder, log=self._settings.log("postgres"))
            self._supervisor.keep(postgres)
        if self._settings.temporal_address is None:
            temporal = EmbeddedTemporal(
                database=self._settings.data_dir / "temporal.db",
                port=self._settings.temporal_port,
                ui_port=self._settings.temporal_ui_port,
                log=self._settings.log("temporal"),
            )
            self._temporal_ui_url = temporal.ui_url
            self._supervisor.keep(temporal)
        return postgres, temporal

    def _child(self, name: str, question: str, env: dict[str, str]) -> Child:
        argv = [*self._command, name]
        if name == "simulator" and env["HEXAVOX_PROFILE"].strip().lower() == Profile.PRODUCTION:
            argv.append("--in-production")  # `hexavox dev` opts in to all of its services
        return Child(name, argv, env=env, log=self._settings.log(name), ready=_answers(question))

    def _migrate(self, env: dict[str, str]) -> None:
        log = self._settings.log("migrate")
        program = Program([*self._command, "migrate"], env=env, log=log)
        try:
            self._supervisor.finish(program, within=120)
        except ProgramFailedError as error:
            if program.exit_code == OTHER_VERSION and self._settings.database_url is None:
                raise ProgramFailedError(_other_version(self._settings.data_dir)) from error
            raise ProgramFailedError(f"the database could not be migrated: {error}") from error

    def _find_key(self, env: dict[str, str], api: Service, others: tuple[Service, ...]) -> DemoKey:
        """Return the stored key if the API accepts it, else a new one; all services respond
        then.
        """
        kept = kept_key(self._dev_env)
        with ThreadPoolExecutor(max_workers=1) as aside:
            made: Future[DemoKey] | None = None
            if kept is None:  # create it while the API starts
                made = aside.submit(make_key, self._command, env)
            self._supervisor.wait_ready(api, *others)
            if made is not None:
                return made.result()
        if kept is not None and kept.works(self._settings.api_url):
            return kept
        return make_key(self._command, env)

    def _write_dev_env(self, key: DemoKey) -> None:
        values = {
            "HEXAVOX_URL": self._settings.api_url,
            "HEXAVOX_API_KEY": key.api_key,
            "HEXAVOX_API_SECRET": key.api_secret,
            "HEXAVOX_SIMULATOR_URL": self._settings.simulator_url,
            "HEXAVOX_SIMULATOR_TOKEN": self._settings.simulator_token,
            "HEXAVOX_TEMPORAL_UI_URL": self._temporal_ui_url,
        }
        write_down(self._dev_env, values)

    def _show(self, console: Console, seconds: float) -> None:
        settings = self._settings
        rows = {
            "API": f"{settings.api_url}/api/v1",
            "Developer guide": f"{settings.api_url}/",
            "Swagger": f"{settings.api_url}/swagger-ui",
            "Temporal UI": self._temporal_ui_url or f"that of {settings.temporal_address}",
            "Simulator": settings.simulator_url,
            "Worker": settings.worker_health_url,
            "API key": f"source {_shown(self._dev_env)}",
            "Operator": f"{_shown(self._operator)} --help",
            "Logs": f"{_shown(settings.data_dir / 'logs')}/",
        }
        title = f"HexaVox is up ({seconds:.1f} s)"
        print_banner(
            console, title, rows, "Ctrl-C stops everything; the next start goes on from here."
        )


def _other_version(folder: Path) -> str:
    """Return the instructions for a data folder that another version created."""
    shown = _shown(folder)
    return (
        f"another version of HexaVox made the data in {shown}, and this one cannot read them;"
        f" nothing was changed. Move the folder away (mv {shown} {shown}.old), or start with"
        " another one: HEXAVOX_DATA_DIR=/path/to/another make run"
    )


def _teller(console: Console) -> Callable[[str], None]:
    def tell(event: str) -> None:
        console.print(event, markup=False, soft_wrap=True)
        console.file.flush()

    return tell


def _answers(url: str) -> Callable[[], bool]:
    return lambda: status_of(url) == 200


def _shown(path: Path) -> str:
    """Return the path relative to the current folder if possible."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
