"""Environment variables of the children of a development start."""

from cli.dev.child_environment import for_process, plain
from models.configuration.simulator_settings import SimulatorSettings


def test_the_simulator_gets_all_of_its_settings() -> None:
    everything = dict.fromkeys(SimulatorSettings.variables().values(), "given")
    assert for_process("simulator", everything) == everything


def test_an_embedded_server_gets_none_of_our_settings() -> None:
    given = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "DATABASE_URL": "x",
        "HEXAVOX_SERVER_SECRET": "x",
        "TEMPORAL_API_KEY": "x",
        "TWILIO_AUTH_TOKEN": "x",
    }
    assert plain(given) == {"PATH": "/bin", "LC_ALL": "C"}


def test_only_api_and_worker_get_the_server_secret() -> None:
    given = {"HEXAVOX_SERVER_SECRET": "x"}
    told = [name for name in ("api", "worker", "migrate", "key") if for_process(name, given)]
    assert told == ["api", "worker"]
