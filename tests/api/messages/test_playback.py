"""Results of the simulator's adapter for a recording: content, absent, or unknown."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from providers.ports.messages import NotFound, Playback, Recording, Unanswered
from providers.simulator.messages import Simulator


class Body(httpx.AsyncByteStream):
    """A body that records whether the connection was released."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


async def play(answer: httpx.Response | Exception, id: str = "m1") -> tuple[Playback, list[str]]:
    """Call an adapter whose vendor responds so; return its result and its requests."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    simulator = Simulator(
        client, "http://sim/", timeout=timedelta(seconds=2), absence_window=timedelta(seconds=3)
    )
    return await simulator.recording(id), asked


async def test_a_recording_is_streamed_and_its_connection_released() -> None:
    body = Body(b"RIFF", b"WAVE")
    answer = httpx.Response(
        200, stream=body, headers={"Content-Type": "audio/wav", "Content-Length": "8"}
    )
    recording, asked = await play(answer)
    assert isinstance(recording, Recording)
    assert recording.length == 8
    assert not body.closed
    assert b"".join([chunk async for chunk in recording.chunks]) == b"RIFFWAVE"
    assert body.closed
    assert asked == ["/messages/m1/recording"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(404), NotFound()),
        (httpx.Response(500), Unanswered(reason="500")),
        (httpx.Response(302), Unanswered(reason="302")),
        (httpx.ReadTimeout(""), Unanswered(reason="ReadTimeout")),
        (httpx.ConnectError(""), Unanswered(reason="ConnectError")),
    ],
)
async def test_responses_that_are_no_recording(
    answer: httpx.Response | Exception, told: Playback
) -> None:
    assert (await play(answer))[0] == told


async def test_a_strange_id_stays_one_step_of_the_path() -> None:
    _, asked = await play(httpx.Response(404), "../deliveries?to=")
    assert asked == ["/messages/..%2Fdeliveries%3Fto%3D/recording"]
