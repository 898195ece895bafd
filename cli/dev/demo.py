"""Creates the demo tenant and its key, and the file that a shell can `source` to use them."""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.dev.local_http import status_of
from cli.dev.private_files import write_private
from cli.samples.place import PRICES, RATES

TENANT = "demo"


class DemoFailedError(RuntimeError):
    """The demo tenant or its key could not be created."""


@dataclass(frozen=True)
class DemoKey:
    """The credentials that an integrator sends."""

    api_key: str
    api_secret: str

    def works(self, api_url: str) -> bool:
        """Return whether the API accepts this key; its database may have been created anew."""
        headers = {"X-API-KEY": self.api_key, "X-API-SECRET": self.api_secret}
        return status_of(f"{api_url}/api/v1/merchants?limit=1", headers, within=10) != 401


def kept_key(dev_env: Path) -> DemoKey | None:
    """Return the key that an earlier start stored."""
    if not dev_env.exists():
        return None
    words = shlex.split(dev_env.read_text(), comments=True)
    values = dict(word.split("=", 1) for word in words if "=" in word)
    key, secret = values.get("HEXAVOX_API_KEY"), values.get("HEXAVOX_API_SECRET")
    return DemoKey(key, secret) if key and secret else None


def make_key(command: Sequence[str], env: Mapping[str, str]) -> DemoKey:
    """Create the demo tenant, a rate card and a price list if missing, and a new key."""
    _ask([*command, "tenant", "create", TENANT, "--json"], env)
    _run([*command, "rates", "import", "--if-none", str(RATES)], env)
    _run([*command, "prices", "import", "--if-none", str(PRICES)], env)
    answer = _ask([*command, "key", "create", "--tenant", TENANT, "--json"], env)
    return DemoKey(answer["apiKey"], answer["apiSecret"])


def write_down(dev_env: Path, values: Mapping[str, str]) -> None:
    """Write the private file of `export` lines."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
    write_private(dev_env, "".join(lines))


def write_operator(script: Path, command: Sequence[str], settings: Mapping[str, str]) -> None:
    """Write the operator's command of this start: a script that knows the embedded servers.

    A file to source would leave their addresses in a shell that later starts something else.
    """
    words = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    write_private(script, f'#!/bin/sh\n{" ".join(words)} exec {shlex.join(command)} "$@"\n')
    script.chmod(0o700)


def _ask(command: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
    """Run a `hexavox` command and return the JSON object it prints."""
    try:
        answer: dict[str, str] = json.loads(_run(command, env))
    except ValueError as error:
        raise DemoFailedError(f"`{shlex.join(command)}` printed something else") from error
    return answer


def _run(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a `hexavox` command and return its output."""
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 0:
        return done.stdout
    # The output itself is not shown: it may contain a secret.
    raise DemoFailedError(
        f"`{shlex.join(command)}` ended with exit code {done.returncode}:\n{done.stderr.strip()}"
    )
