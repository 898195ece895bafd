"""What SIP clients and browsers are provisioned with, as the contract writes it."""

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
    """Tell whether a SIP user can be called."""

    merchant_id: MerchantId = Field(description="Whose user it is.", examples=["gym-a"])
    username: SipUsername = Field(
        description="The SIP user, as provisioning names it.", examples=["t1m7"]
    )
    state: PresenceState = Field(description="What holds now.", examples=["BUSY"])
    user_agent: UserAgent | None = Field(
        default=None,
        description="The software that tells it; printable characters.",
        examples=["HexaPhone/2.1"],
    )
    contact: SipContact | None = Field(
        default=None,
        repr=False,
        description="The SIP address the user is reached at; printable characters.",
        examples=["sip:t1m7@198.51.100.7:5060"],
    )
    expires_seconds: Annotated[StrictInt, Field(ge=1, le=86_400)] | None = Field(
        default=None,
        description="How long it holds; then the user is OFFLINE. Without it, as long as a "
        "registration.",
        examples=[300],
    )


class V1VoiceRotateRequest(RequestBody):
    """Ask for a new SIP password."""

    merchant_id: MerchantId = Field(description="Whose password it is.", examples=["gym-a"])


class VoiceSipPresenceView(View):
    """Whether a SIP user can be called, by what was posted and by who is registered."""

    merchant_id: str = Field(description="Whose user it is.", examples=["gym-a"])
    username: str = Field(description="The SIP user.", examples=["t1m7"])
    state: PresenceState = Field(
        description="BUSY and AWAY hold until they expire; else the later of what was posted and "
        "the registration counts. OFFLINE once it has expired.",
        examples=["ONLINE"],
    )
    user_agent: str | None = Field(
        description="The software that told it.", examples=["HexaPhone/2.1"]
    )
    contact: str | None = Field(
        repr=False,
        description="Where the user is reached; null once it has expired.",
        examples=["sip:t1m7@198.51.100.7:5060"],
    )
    expires_at: Instant | None = Field(
        description="Until when it holds, or held; null for a user never seen.",
        examples=["2026-04-16T13:25:32.942Z"],
    )
    updated_at: Instant | None = Field(
        description="When it was told.", examples=["2026-04-16T13:20:32.942Z"]
    )


class VoiceSip(View):
    """What a SIP client is set up with."""

    domain: str = Field(description="The domain of its address.", examples=["sip.example.com"])
    registrar: str = Field(description="The host it registers with.", examples=["sip.example.com"])
    username: str = Field(description="Carries tenant and merchant.", examples=["t1m7"])
    password: str = Field(
        repr=False,
        description="Changed by rotate; kept nowhere.",
        examples=["Hx1qn5wvbkq3d2c7h4t6ya2fz3e4m"],
    )
    auth_realm: str = Field(
        description="The realm of its digest answers.", examples=["sip.example.com"]
    )
    transports: list[str] = Field(
        description="What the registrar listens by.", examples=[["UDP", "TCP", "TLS", "WSS"]]
    )
    port: int = Field(description="Of UDP and TCP; TLS is at 5061.", examples=[5060])
    expires_seconds: int = Field(description="How long to register for at a time.", examples=[300])


class VoiceIceServer(View):
    """A server that helps media through, as `RTCPeerConnection` takes it."""

    urls: list[str] = Field(
        description="Its addresses.", examples=[["turn:sip.example.com:3478?transport=udp"]]
    )
    username: str | None = Field(
        description="Begins with the moment it expires, in Unix seconds; null for STUN.",
        examples=["1776345632:t1m7"],
    )
    credential: str | None = Field(
        repr=False,
        description="Goes with the name; null for STUN.",
        examples=["Xr0jZ1T0kZ0sN0lq9o0s1wq3c5A="],
    )


class VoiceBrowser(View):
    """What a browser is set up with."""

    websocket_url: str = Field(
        description="SIP over WebSocket (RFC 7118).", examples=["wss://sip.example.com:8443"]
    )
    ice_servers: list[VoiceIceServer] = Field(description="Empty where no TURN server is set up.")
    token: str = Field(
        repr=False,
        description="A JWT for a gateway of yours: tenant, merchant and user, signed with HS256.",
        examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"],
    )
    token_expires_at: Instant = Field(
        description="Ask again before.", examples=["2026-04-16T14:20:32.942Z"]
    )


class V1VoiceProvisioningResponse(View):
    """Everything a SIP client or a browser of a merchant needs."""

    merchant_id: str = Field(description="Whose it is.", examples=["gym-a"])
    sip: VoiceSip = Field(description="For SIP clients.")
    browser: VoiceBrowser = Field(description="For browsers.")
    codecs: list[str] = Field(
        description="As SDP names them, best first.", examples=[["OPUS", "G722", "PCMU", "PCMA"]]
    )
    presence: VoiceSipPresenceView = Field(description="Whether the user can be called now.")
