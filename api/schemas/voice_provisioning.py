"""Request and response schemas of voice provisioning and presence."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt, StringConstraints

from api.schemas.base import Instant, MerchantId, RequestBody, View
from models.enums import PresenceState


def _printable(given: str) -> str:
    if not given.isprintable():
        raise ValueError("must hold printable characters only")
    return given


UserAgent = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_printable)
]
SipContact = Annotated[
    str, StringConstraints(min_length=1, max_length=512), AfterValidator(_printable)
]
SipUsername = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class V1VoiceSipPresenceRequest(RequestBody):
    """The presence state of a SIP user."""

    merchant_id: MerchantId = Field(
        description="The merchant the user belongs to.", examples=["gym-a"]
    )
    username: SipUsername = Field(
        description="SIP username as returned by provisioning.",
        examples=["t9c4b1e07a5d23m6f0e8d3b17a4c"],
    )
    state: PresenceState = Field(description="Presence state.", examples=["BUSY"])
    user_agent: UserAgent | None = Field(
        default=None,
        description="Name of the client software, printable characters.",
        examples=["HexaPhone/2.1"],
    )
    contact: SipContact | None = Field(
        default=None,
        repr=False,
        description="SIP URI at which the user can be reached, printable characters.",
        examples=["sip:t9c4b1e07a5d23m6f0e8d3b17a4c@198.51.100.7:5060"],
    )
    expires_seconds: Annotated[StrictInt, Field(ge=1, le=86_400)] | None = Field(
        default=None,
        description="Seconds until the state expires and the user becomes OFFLINE. Default: the "
        "duration of a SIP registration.",
        examples=[300],
    )


class V1VoiceRotateRequest(RequestBody):
    """A request for a new SIP password."""

    merchant_id: MerchantId = Field(
        description="The merchant whose SIP password is replaced.", examples=["gym-a"]
    )


class VoiceSipPresenceView(View):
    """Presence of a SIP user, from posted states and SIP registrations."""

    merchant_id: str = Field(description="The merchant the user belongs to.", examples=["gym-a"])
    username: str = Field(description="SIP username.", examples=["t9c4b1e07a5d23m6f0e8d3b17a4c"])
    state: PresenceState = Field(
        description="Current state. BUSY and AWAY apply until they expire; otherwise the later one "
        "of the posted state and the SIP registration applies. OFFLINE after expiry.",
        examples=["ONLINE"],
    )
    user_agent: str | None = Field(
        description="Name of the client software. Null if unknown.", examples=["HexaPhone/2.1"]
    )
    contact: str | None = Field(
        repr=False,
        description="SIP URI at which the user can be reached. Null after expiry.",
        examples=["sip:t9c4b1e07a5d23m6f0e8d3b17a4c@198.51.100.7:5060"],
    )
    expires_at: Instant | None = Field(
        description="Time at which the state expires or expired. Null for a user that was never "
        "seen.",
        examples=["2026-04-16T13:25:32.942Z"],
    )
    updated_at: Instant | None = Field(
        description="Time of the last change. Null for a user that was never seen.",
        examples=["2026-04-16T13:20:32.942Z"],
    )


class VoiceSip(View):
    """Configuration of a SIP client."""

    domain: str = Field(description="SIP domain.", examples=["sip.example.com"])
    registrar: str = Field(description="Host name of the registrar.", examples=["sip.example.com"])
    username: str = Field(
        description="SIP username, unique per tenant and merchant.",
        examples=["t9c4b1e07a5d23m6f0e8d3b17a4c"],
    )
    password: str = Field(
        repr=False,
        description="SIP password. It is derived, not stored, and changes with `POST "
        "/voice/provisioning/rotate`.",
        examples=["Hx1qn5wvbkq3d2c7h4t6ya2fz3e4m"],
    )
    auth_realm: str = Field(
        description="Realm of the digest authentication.", examples=["sip.example.com"]
    )
    transports: list[str] = Field(
        description="Transports the registrar listens on.", examples=[["UDP", "TCP", "TLS", "WSS"]]
    )
    port: int = Field(description="Port of UDP and TCP. TLS uses 5061.", examples=[5060])
    expires_seconds: int = Field(
        description="Recommended duration of a registration in seconds.", examples=[300]
    )


class VoiceIceServer(View):
    """A STUN or TURN server in the format of `RTCPeerConnection`."""

    urls: list[str] = Field(
        description="URLs of the server.", examples=[["turn:sip.example.com:3478?transport=udp"]]
    )
    username: str | None = Field(
        description="Time-limited username; it starts with the expiry time in Unix seconds. Null "
        "for STUN.",
        examples=["1776345632:t9c4b1e07a5d23m6f0e8d3b17a4c"],
    )
    credential: str | None = Field(
        repr=False,
        description="Password for `username`. Null for STUN.",
        examples=["Xr0jZ1T0kZ0sN0lq9o0s1wq3c5A="],
    )


class VoiceBrowser(View):
    """Configuration of a browser client."""

    websocket_url: str = Field(
        description="URL of SIP over WebSocket (RFC 7118).", examples=["wss://sip.example.com:8443"]
    )
    ice_servers: list[VoiceIceServer] = Field(
        description="STUN and TURN servers. Empty if none is configured."
    )
    token: str = Field(
        repr=False,
        description="JWT for a gateway of yours, signed with HS256. It holds tenant, merchant and "
        "user.",
        examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"],
    )
    token_expires_at: Instant = Field(
        description="Time at which the token expires. Request provisioning again before then.",
        examples=["2026-04-16T14:20:32.942Z"],
    )


class V1VoiceProvisioningResponse(View):
    """Configuration of the SIP and browser clients of a merchant."""

    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    sip: VoiceSip = Field(description="Configuration of SIP clients.")
    browser: VoiceBrowser = Field(description="Configuration of browser clients.")
    codecs: list[str] = Field(
        description="Codecs by SDP name, preferred first.",
        examples=[["OPUS", "G722", "PCMU", "PCMA"]],
    )
    presence: VoiceSipPresenceView = Field(description="Current presence of the SIP user.")
