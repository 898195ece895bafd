"""Mistakes in settings: generated from the models, so that a new setting is included."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.main import app
from cli.read_settings import OTHERS, typos
from models.configuration.environment_settings import BadSettings, EnvironmentSettings
from models.configuration.setting_forms import form_of
from models.configuration.simulator_settings import SimulatorSettings
from models.configuration.temporal_settings import TemporalSettings
from models.settings import Settings
from tests.secret_values import SIMULATOR_SECRET, SIMULATOR_TOKEN

ROOT = Path(__file__).parents[3]
URL = "postgresql://user:hidden@host:5432/name"
COMPLETE = {
    "DATABASE_URL": URL,
    "HEXAVOX_SIMULATOR_SECRET": SIMULATOR_SECRET,
    "HEXAVOX_SIMULATOR_TOKEN": SIMULATOR_TOKEN,
}
NONSENSE = "no \x7fsense"
"""A value that is invalid for every setting; too short for a secret as well."""

KINDS: tuple[type[EnvironmentSettings], ...] = (Settings, SimulatorSettings, TemporalSettings)
EVERY = [(kind, name) for kind in KINDS for name in kind.model_fields]
SECRETS = [
    (kind, name)
    for kind in KINDS
    for name, field in kind.model_fields.items()
    if "SecretStr" in str(field.annotation)
    and kind is not TemporalSettings  # Temporal's own
    and name != "database_url"  # the database's own
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The minimal environment of every process."""
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refused(kind: type[EnvironmentSettings]) -> str:
    with pytest.raises(BadSettings) as mistake:
        kind.read()
    return str(mistake.value)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_wrong_value_is_reported_in_one_line_by_name_and_form(
    environment: pytest.MonkeyPatch, kind: type[EnvironmentSettings], name: str
) -> None:
    variable = kind.variables()[name]
    environment.setenv(variable, NONSENSE)
    assert refused(kind) == f"{variable} must be {form_of(kind.model_fields[name])}"


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_set_to_nothing_is_not_set(
    environment: pytest.MonkeyPatch, kind: type[EnvironmentSettings], name: str
) -> None:
    variable = kind.variables()[name]
    environment.setenv(variable, "")
    if kind.model_fields[name].is_required():
        assert refused(kind).startswith(f"{variable} is not set; it must be ")
    else:
        read = kind.read()
        environment.delenv(variable)
        assert read == kind.read()


@pytest.mark.parametrize("value", ["x" * 15, " " * 16, " " + "x" * 16, "x" * 16 + "\n"])
@pytest.mark.parametrize(("kind", "name"), SECRETS)
def test_no_secret_is_short_blank_or_padded(
    environment: pytest.MonkeyPatch, kind: type[EnvironmentSettings], name: str, value: str
) -> None:
    variable = kind.variables()[name]
    environment.setenv(variable, value)
    assert refused(kind).startswith(f"{variable} must be a secret of 16 characters or more")
    environment.delenv(variable)
    fixed: dict[str, Any] = {name: SecretStr(value)}
    with pytest.raises(BadSettings, match=variable):
        kind.read(**fixed)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEXAVOX_API_PORT", "99999"),
        ("HEXAVOX_API_PORT", "0"),
        ("HEXAVOX_API_PORT", "-1"),
        ("HEXAVOX_API_PORT", "8000.5"),
        ("HEXAVOX_API_PORT", "0x50"),
        ("HEXAVOX_WORKER_HEALTH_PORT", "65536"),
        ("HEXAVOX_SIP_PORT", "0"),
        ("HEXAVOX_PUBLIC_URL", "api.example.com"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com/v1"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com?x=1"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com/?"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com#x"),
        ("HEXAVOX_PUBLIC_URL", "https://user:hidden@api.example.com"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com:99999"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com:0"),
        ("HEXAVOX_PUBLIC_URL", "https://"),
        ("HEXAVOX_PUBLIC_URL", "https://api example.com"),
        ("HEXAVOX_PUBLIC_URL", "https://api.example.com/\nx"),
        ("HEXAVOX_PUBLIC_URL", "https:/api.example.com"),
        ("HEXAVOX_PUBLIC_URL", "ftp://api.example.com"),
        ("HEXAVOX_PUBLIC_URL", "https://[::1"),
        ("HEXAVOX_SIMULATOR_URL", "http://simulator:8090/inbound"),
        ("HEXAVOX_VOICE_WEBSOCKET_URL", "https://sip.example.com"),
        ("HEXAVOX_API_HOST", "http://127.0.0.1"),
        ("HEXAVOX_API_HOST", "127.0.0.1:8000"),
        ("HEXAVOX_API_HOST", "256.0.0.1"),
        ("HEXAVOX_PROFILE", "prod"),
        ("HEXAVOX_PROFILE", "demo,production"),
        ("HEXAVOX_LOG_LEVEL", "verbose"),
        ("HEXAVOX_LOG_LEVEL", "10"),
        ("HEXAVOX_REPORT_WAIT", "abc"),
        ("HEXAVOX_REPORT_WAIT", "0"),
        ("HEXAVOX_REPORT_WAIT", "-5"),
        ("HEXAVOX_REPORT_WAIT", "5 minutes"),
        ("HEXAVOX_REPORT_WAIT", "inf"),
        ("HEXAVOX_REPORT_WAIT", "nan"),
        ("HEXAVOX_REPORT_WAIT", "1e12"),
        ("HEXAVOX_REPORT_WAIT", "P100000D"),
        ("HEXAVOX_PROVIDER_TIMEOUT", "11"),
        ("HEXAVOX_INLINE_REPORT_WAIT", "1.1"),
        ("HEXAVOX_DATABASE_POOL", "1"),
        ("HEXAVOX_DATABASE_POOL", "many"),
        ("HEXAVOX_SIP_TRANSPORTS", "UDP,SCTP"),
        ("HEXAVOX_SIP_TRANSPORTS", ","),
        ("HEXAVOX_STUN_URLS", "http://stun.example.com"),
        ("HEXAVOX_TURN_URLS", "turn.example.com"),
        ("HEXAVOX_PROVIDERS_FILE", "/no/such/file.toml"),
        ("DATABASE_URL", "host:5432/name"),
        ("DATABASE_URL", "mysql://user:hidden@host/name"),
        ("DATABASE_URL", "postgresql://user:hidden@host:99999/name"),
        ("DATABASE_URL", "postgresql://user:hid/den@host:5432/name"),
        ("DATABASE_URL", "postgresql://user:hid#den@host:5432/name"),
        ("DATABASE_URL", "postgresql://user:hid@den@host/na@me"),
        ("DATABASE_URL", "postgresql://user:hid?den@host:5432/name"),
        ("DATABASE_URL", "postgresql://user:hidden@host/name?sslmod=require"),
        ("DATABASE_URL", "postgresql:///name"),
        ("DATABASE_URL", "host=localhost password=hidden"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_being_shown(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    name = next(name for name, known in Settings.variables().items() if known == variable)
    assert refused(Settings) == f"{variable} must be {form_of(Settings.model_fields[name])}"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TEMPORAL_ADDRESS", "temporal"),
        ("TEMPORAL_ADDRESS", "http://temporal:7233"),
        ("TEMPORAL_ADDRESS", "temporal:99999"),
        ("TEMPORAL_ADDRESS", "temporal:7233/path"),
        ("TEMPORAL_TLS", "maybe"),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "/there/is/none"),
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "/"),
        ("TEMPORAL_TLS_CLIENT_KEY_DATA", "hidden"),
        ("TEMPORAL_CONFIG_FILE", "/there/is/none"),
    ],
)
def test_what_temporal_would_take_and_not_understand_is_refused(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    told = refused(TemporalSettings)
    assert told.startswith(f"{variable} must be ")
    assert "hidden" not in told


@pytest.mark.parametrize("address", ["temporal:7233", "127.0.0.1:1", "[::1]:7233"])
def test_temporal_addresses(environment: pytest.MonkeyPatch, address: str) -> None:
    environment.setenv("TEMPORAL_ADDRESS", address)
    assert TemporalSettings.read().address == address


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://api.example.com/", "https://api.example.com"),
        (" http://127.0.0.1:8000 ", "http://127.0.0.1:8000"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://api", "http://api"),
    ],
)
def test_a_public_address_is_read(environment: pytest.MonkeyPatch, given: str, read: str) -> None:
    environment.setenv("HEXAVOX_PUBLIC_URL", given)
    assert Settings.read().public_url == read


def test_all_mistakes_are_reported_together(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HEXAVOX_API_PORT", "eighty")
    environment.setenv("HEXAVOX_REPORT_WAIT", "abc")
    environment.delenv("DATABASE_URL")
    told = [line.split()[0] for line in refused(Settings).splitlines()]
    assert told == ["DATABASE_URL", "HEXAVOX_API_PORT", "HEXAVOX_REPORT_WAIT"]


COMMANDS = [
    ["dev"],
    ["api"],
    ["worker"],
    ["migrate"],
    ["tenant", "list"],
    ["key", "create", "--tenant", "acme"],
    ["number", "list", "--tenant", "acme"],
    ["rates", "list"],
    ["invoice", "compare", __file__, "--tenant", "acme"],
    ["voice", "token-key"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_it_in_one_line(
    environment: pytest.MonkeyPatch, command: list[str]
) -> None:
    environment.setenv("HEXAVOX_REPORT_WAIT", "abc")
    environment.setenv("HEXAVOX_PROFILE", "demo")
    result = CliRunner().invoke(app, command)
    form = form_of(Settings.model_fields["report_wait"])
    assert (result.exit_code, result.output) == (
        2,
        f"hexavox: HEXAVOX_REPORT_WAIT must be {form}\n",
    )


def test_the_simulator_says_it_too(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HEXAVOX_SIMULATOR_TOKEN", "short")
    result = CliRunner().invoke(app, ["simulator"])
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert result.output.startswith("hexavox: HEXAVOX_SIMULATOR_TOKEN must be a secret")


@pytest.mark.parametrize("command", [["migrate"], ["tenant", "list"], ["voice", "prepare"]])
def test_a_database_out_of_reach_is_one_line(
    environment: pytest.MonkeyPatch, command: list[str]
) -> None:
    environment.setenv("DATABASE_URL", "postgresql://user:hidden@127.0.0.1:1/name")
    environment.setenv("HEXAVOX_KAMAILIO_PASSWORD", "letters4and4digits")
    result = CliRunner().invoke(app, command)
    assert (result.exit_code, result.output) == (
        1,
        "hexavox: the database at DATABASE_URL is out of reach\n",
    )


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **COMPLETE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_misspelt_variable_is_named_with_the_one_that_is_meant() -> None:
    told = run("voice", "token-key", HEXAVOX_REPROT_WAIT="5", TEMPORAL_ADRESS="x", HEXAVOX_ZZZZZ="")
    assert told.stderr.splitlines() == [
        "hexavox: HEXAVOX_REPROT_WAIT is unknown and has no effect; "
        "did you mean HEXAVOX_REPORT_WAIT?",
        "hexavox: HEXAVOX_ZZZZZ is unknown and has no effect",
        "hexavox: TEMPORAL_ADRESS is perhaps misspelt; did you mean TEMPORAL_ADDRESS?",
        "hexavox: HEXAVOX_SERVER_SECRET is not set: the key is derived from it.",
    ]
    assert told.returncode == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HEXAVOX_DATABASE_URL", "DATABASE_URL"),
        ("HEXAVOX_TEMPORAL_ADDRESS", "TEMPORAL_ADDRESS"),
        ("HEXAVOX_SIMULATOR_TOKN", "HEXAVOX_SIMULATOR_TOKEN"),
        ("HEXAVOX_DATADIR", "HEXAVOX_DATA_DIR"),
        ("TEMPORAL_NAMESAPCE", "TEMPORAL_NAMESPACE"),
    ],
)
def test_the_variable_that_is_meant_is_found(written: str, meant: str) -> None:
    (line,) = typos({written: "x"})
    assert line.endswith(f"; did you mean {meant}?")


def test_known_and_foreign_variables_are_no_typos() -> None:
    known = {variable for kind in KINDS for variable in kind.variables().values()}
    foreign = {"PATH", "TEMPORAL_CLI_SHOW_STACKS", "HEXAVOXX", "hexavox_report_wait"}
    assert list(typos(dict.fromkeys(known | foreign | OTHERS, "x"))) == []


def test_temporal_out_of_reach_is_one_line() -> None:
    told = run("replay", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (told.returncode, told.stderr) == (
        1,
        "hexavox: Temporal does not answer at TEMPORAL_ADDRESS\n",
    )
