"""A minimal SIP client over WebSocket (RFC 7118), as in a browser."""

import asyncio
import base64
import hashlib
import os
import re
import struct
from typing import Any

_WITHIN = 5


class Browser:
    """One connection, and its user."""

    def __init__(self, port: int, sip: dict[str, Any]) -> None:
        self._port = port
        self._sip = sip
        self._sent = 0

    async def register(self) -> list[str]:
        """Connect, register, and return the first line of each response."""
        async with asyncio.timeout(_WITHIN):
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            answers = [await self._upgrade(), await self._ask()]
            nonce = re.search(r'nonce="([^"]+)"', answers[-1])
            assert nonce is not None
            answers.append(await self._ask(self._signed(nonce[1])))
            self._writer.close()
            await self._writer.wait_closed()
        return [answer.partition("\r\n")[0] for answer in answers]

    async def _upgrade(self) -> str:
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(
            f"GET / HTTP/1.1\r\nHost: {self._sip['domain']}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nOrigin: https://app.example.com\r\nSec-WebSocket-Key: {key}"
            "\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return (await self._reader.readuntil(b"\r\n\r\n")).decode()

    async def _ask(self, authorization: str = "") -> str:
        self._sent += 1
        address = f"sip:{self._sip['username']}@{self._sip['domain']}"
        self._send(
            f"REGISTER sip:{self._sip['domain']} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS app.invalid;branch=z9hG4bK{self._sent}\r\nMax-Forwards: 70\r\n"
            f"From: <{address}>;tag=1\r\nTo: <{address}>\r\nCall-ID: {id(self)}\r\n"
            f"CSeq: {self._sent} REGISTER\r\n{authorization}"
            f"Contact: <sip:{self._sip['username']}@app.invalid;transport=ws>;expires=60\r\n"
            "User-Agent: HexaPhone/web\r\nContent-Length: 0\r\n\r\n"
        )
        size = (await self._reader.readexactly(2))[1]
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        return (await self._reader.readexactly(size)).decode()

    def _signed(self, nonce: str) -> str:
        user, realm, uri = self._sip["username"], self._sip["authRealm"], self._sip["domain"]
        ours = _md5(f"{user}:{realm}:{self._sip['password']}")
        response = _md5(f"{ours}:{nonce}:{_md5(f'REGISTER:sip:{uri}')}")
        return (
            f'Authorization: Digest username="{user}",realm="{realm}",nonce="{nonce}",'
            f'uri="sip:{uri}",response="{response}"\r\n'
        )

    def _send(self, text: str) -> None:
        """Send one masked text frame of up to 64 KiB."""
        content, mask = text.encode(), os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))
        self._writer.write(b"\x81\xfe" + struct.pack(">H", len(content)) + mask + masked)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
