"""Connection data for SIP clients and browsers."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

TRANSPORTS: Final = ("UDP", "TCP", "TLS", "WSS")
CODECS: Final = ("OPUS", "G722", "PCMU", "PCMA")
"""Names as in SDP, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePlace:
    """Registrar, browser gateway and TURN servers of this installation."""

    domain: str
    realm: str
    registrar: str
    port: int
    """Port of UDP and TCP; TLS uses 5061 unless DNS says otherwise (RFC 3261, 19.1.2)."""
    transports: tuple[str, ...]
    expires: timedelta
    websocket_url: str
    stun_urls: tuple[str, ...]
    turn_urls: tuple[str, ...]
    turn_secret: str | None = field(repr=False)
    """None: no TURN server is configured."""
    turn_lifetime: timedelta
    token_lifetime: timedelta
