"""A private instance of Debian's Postfix: a relay, a mailbox, and a Maildir for bounces.

It listens on loopback only and delivers to these domains only; mail to any other is returned.
"""

import grp
import os
import pwd
import shutil
import smtplib
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from tests.stack import free_port

DOMAIN = "example.com"
BOUNCES = "bounces@mail.gym.example"
MEMBER = f"member@{DOMAIN}"
UNKNOWN = f"nobody.here@{DOMAIN}"
_DAEMONS = Path("/usr/lib/postfix/sbin")
_OWNER = "nobody"
"""Who owns the mailboxes."""

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
command_directory = /usr/sbin
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = relay.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
smtputf8_enable = yes
smtpd_tls_chain_files = {folder}/relay.pem
smtpd_tls_security_level = encrypt
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
recipient_delimiter = +
virtual_mailbox_domains = {domain}, {bounce_domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{{{{member}=member/}}, {{{bounces}=bounces/}}}}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
default_transport = error:5.1.2 nothing leaves this machine
relay_transport = error:5.1.2 nothing leaves this machine
"""

_MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def missing() -> str | None:
    """Return why there can be no instance, if so."""
    if shutil.which("postfix", path="/usr/sbin") is None:
        return "Debian package not installed: postfix"
    return None if os.getuid() == 0 else "postfix starts as root only"


def required() -> bool:
    """Return whether a missing Postfix is a failure."""
    return os.environ.get("HEXAVOX_POSTFIX") == "required"


@dataclass
class Postfix:
    """The instance. Its folder is below /tmp, where its own users can enter it."""

    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="hexavox-postfix-")))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> Path:
        """The CA that vouches for it."""
        return self.folder / "ca.pem"

    @property
    def log(self) -> str:
        """Its log."""
        path = self.folder / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def maildir(self, name: str) -> Path:
        """Return the Maildir of `member` or `bounces`."""
        return self.folder / "mail" / name

    def __enter__(self) -> Self:
        self._configure()
        self._process = self._control("start-fg", wait=False)
        self._await_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        # The script that was started waits for the master, whose process it does not replace.
        self._control("stop")
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def await_mails(self, name: str, count: int) -> list[Path]:
        """Return the new mails of a Maildir once there are so many."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            folder = self.maildir(name) / "new"
            found = sorted(folder.iterdir()) if folder.exists() else []
            if len(found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError(f"no {count} mails in {name}:\n{self.log[-3000:]}")

    def _configure(self) -> None:
        self.folder.chmod(0o755)
        owner = pwd.getpwnam(_OWNER)
        for name in ("etc", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix", "postfix")
        shutil.chown(self.folder / "mail", owner.pw_uid, owner.pw_gid)
        (self.folder / "etc" / "main.cf").write_text(
            _MAIN.format(
                folder=self.folder,
                daemons=_DAEMONS,
                domain=DOMAIN,
                bounce_domain=BOUNCES.partition("@")[2],
                member=MEMBER,
                bounces=BOUNCES,
                uid=owner.pw_uid,
                gid=grp.getgrgid(owner.pw_gid).gr_gid,
            )
        )
        (self.folder / "etc" / "master.cf").write_text(
            _MASTER.format(port=f"127.0.0.1:{self.port}")
        )
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(self.ca_file))
        issued = ca.issue_cert("127.0.0.1")
        chain = self.folder / "relay.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(chain))
        chain.chmod(0o600)

    def _control(self, verb: str, *, wait: bool = True) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["/usr/sbin/postfix", "-c", self.folder / "etc", verb],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if wait:
            process.wait(60)
        return process

    def _await_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + 30
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=2) as probe:
                    probe.noop()
                    return
            except (OSError, smtplib.SMTPException):
                time.sleep(0.1)
        raise AssertionError(f"postfix did not come up:\n{self.log[-3000:]}")
