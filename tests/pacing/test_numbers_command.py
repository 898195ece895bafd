"""`hexavox number`: lists numbers and sets their limits."""

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.factories import unique


@pytest.fixture
def run(own_url: str) -> "Run":
    return Run(own_url)


class Run:
    """The command line on a database."""

    def __init__(self, url: str) -> None:
        self._environment = {"DATABASE_URL": url}

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, words, env=self._environment)

    def well(self, *words: str) -> str:
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.output


def test_a_new_tenants_number_has_no_limit(run: Run) -> None:
    name = unique("tenant")
    run.well("tenant", "create", name)
    [line] = run.well("number", "list", "--tenant", name).splitlines()
    assert line.split("\t")[1:] == ["whole tenant", "no limit", "no limit"]


def test_a_number_is_added_limited_and_set_free(run: Run) -> None:
    name, number = unique("tenant"), "+12015550188"
    run.well("tenant", "create", name)
    run.well("number", "add", "--tenant", name, "--segments-per-second", "4.5", number)
    assert f"{number}\twhole tenant\t4.5/s\tno limit" in run.well(
        "number", "list", "--tenant", name
    )
    run.well("number", "limit", number, "--segments-per-second", "none", "--calls-per-second", "10")
    assert f"{number}\twhole tenant\tno limit\t10/s" in run.well("number", "list", "--tenant", name)
    assert run("number", "add", "--tenant", name, number).exit_code != 0


@pytest.mark.parametrize("limit", ["0", "-1", "fast", "nan", "1e9", "0.0001"])
def test_a_limit_that_is_none_is_refused(run: Run, limit: str) -> None:
    refused = run("number", "limit", "+12015550188", "--segments-per-second", limit)
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("number", "limit", "+12015550199", "--segments-per-second", "1"),
        ("number", "limit", "+12015550199"),
        ("number", "limit", "nonsense", "--segments-per-second", "1"),
        ("number", "list", "--tenant", "nobody"),
        ("number", "add", "--tenant", "nobody", "+12015550199"),
    ],
)
def test_an_unknown_number_is_reported(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_an_operator_vouches_for_a_number_that_was_registered_elsewhere(run: Run) -> None:
    name = unique("tenant")
    run.well("tenant", "create", name)
    run.well("number", "add", "--tenant", name, "--registered", "+12015550177")
    run.well("number", "add", "--tenant", name, "+12015550178")
    lines = run.well("number", "list", "--tenant", name).splitlines()
    known = {line.split("\t")[0]: line.endswith("\tregistered") for line in lines}
    assert known["+12015550177"] is True
    assert known["+12015550178"] is False
