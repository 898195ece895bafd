"""Generated clients are complete and typed."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic.alias_generators import to_snake

from tests.clients.quickstarts import compile_typescript
from tests.clients.tools import PYTHON, run


def test_the_python_client_has_every_operation(clients: Path, document: dict[str, Any]) -> None:
    written = {file.stem for file in (clients / "python" / "hexavox_client").glob("api/*/*.py")}
    operations = {
        to_snake(operation["operationId"])
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    assert len(operations) > 50
    assert operations - written == set()


def test_the_python_client_reads_recordings(clients: Path) -> None:
    [module] = (clients / "python" / "hexavox_client").glob("api/*/get_recording.py")
    text = module.read_text("utf-8")
    assert "File(payload=BytesIO(response.content))" in text


def test_the_typescript_client_and_the_quickstart_compile_with_strict_types(
    clients: Path,
) -> None:
    assert compile_typescript(clients).exists()


def test_the_readme_of_the_python_client_is_valid(clients: Path) -> None:
    [example] = re.findall(
        r"```python\n(.+?)```", (clients / "python" / "README.md").read_text(), re.S
    )
    without_sending = example.partition("answer = ")[0]
    environment = {"HEXAVOX_API_KEY": "a", "HEXAVOX_API_SECRET": "b"}
    program = f"{without_sending}print(V1OmniSmsSendRequest, send_sms.sync, Problem, MessageType)"
    path = {"PYTHONPATH": str(clients / "python"), **environment}
    assert "Problem" in run(PYTHON / "python", "-c", program, environment=path)


@pytest.mark.parametrize("file", ["postman.json", "openapi.json"])
def test_documents_are_written_beside_them(clients: Path, file: str) -> None:
    assert (clients / file).stat().st_size > 10_000
