"""A minimal HTTP client, because it shares two cores with the system it measures.

The client of the baseline is compiled; the usual Python clients cost more than the simulator.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

_TOO_MUCH: Final = 429
_PAUSE: Final = 1.0
_OK: Final = b"HTTP/1.1 200 "
_LENGTH: Final = b"content-length:"

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """A response other than 200, with its content."""

    @property
    def status(self) -> int:
        """Return the status."""
        return int(str(self).split(maxsplit=2)[1])


@dataclass(slots=True)
class Wire:
    """Posts JSON to one server over persistent connections."""

    host: str
    port: int
    headers: Mapping[str, str]
    _idle: list[Connection] = field(default_factory=list)

    async def post(self, path: str, key: str, body: bytes) -> bytes:
        """Post under an Idempotency-Key; return the response body. Raises Refused."""
        reader, writer = await self._connection()
        writer.write(self._head(path, key, len(body)) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        answer = await reader.readexactly(_length(head))
        self._idle.append((reader, writer))
        if not head.startswith(_OK):
            raise Refused((head + answer).decode())
        return answer

    async def post_patiently(self, path: str, key: str, body: bytes) -> bytes:
        """Post, and repeat after 429 as a client should."""
        while True:
            try:
                return await self.post(path, key, body)
            except Refused as refused:
                if refused.status != _TOO_MUCH:
                    raise
            await asyncio.sleep(_PAUSE)

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():  # the server closes connections that were idle for some seconds
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port)

    def close(self) -> None:
        """Close idle connections."""
        for _, writer in self._idle:
            writer.close()

    def _head(self, path: str, key: str, length: int) -> bytes:
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
            f"Idempotency-Key: {key}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(_LENGTH):
            return int(line.removeprefix(_LENGTH))
    raise Refused(head.decode())
