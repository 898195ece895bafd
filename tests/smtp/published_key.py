"""The DNS record of a DKIM key."""

import base64
import subprocess

from providers.smtp.account import DkimKey


def published(key: DkimKey) -> bytes:
    """Return the record, made as docs/vendors/smtp.md says."""
    made = subprocess.run(
        ["openssl", "rsa", "-pubout", "-outform", "der"],
        input=key.pem,
        capture_output=True,
        check=True,
    )
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(made.stdout)
