"""`hexavox voice …`"""

from typing import Annotated

import psycopg
import typer
from psycopg import errors

from cli.commands import kamailio
from cli.read_settings import read_settings
from models.configuration.environment_settings import BadSettings
from models.database.limits import OPERATOR
from models.rules.voice.sip import SipSecrets
from models.session import connect_options
from models.settings import Settings

app = typer.Typer(help="The SIP registrar, and what browsers bring.", no_args_is_help=True)

_SHORTEST = 16


@app.command("prepare")
def prepare(
    password: Annotated[
        str,
        typer.Option(
            envvar="HEXAVOX_KAMAILIO_PASSWORD",
            prompt=True,
            hide_input=True,
            help="Of the role; better given by the environment than as an option.",
        ),
    ],
    role: Annotated[str, typer.Option(help="Database role of Kamailio.")] = kamailio.ROLE,
) -> None:
    """Create what Kamailio needs in the database: a schema and a role with access to nothing else.

    Run it again after an update of HexaVox, and to change the password.
    """
    if len(password) < _SHORTEST or not (password.isascii() and password.isalnum()):
        raise BadSettings(
            f"HEXAVOX_KAMAILIO_PASSWORD must be {_SHORTEST} letters and digits or more: it becomes "
            "part of an address."
        )
    settings = read_settings(Settings)
    try:
        with psycopg.connect(
            settings.database_url.get_secret_value(),
            target_session_attrs="read-write",  # of several hosts, choose the writable one
            **connect_options(settings.async_database_url, OPERATOR),
        ) as connection:
            kamailio.prepare(connection, role, password)
    except kamailio.RoleInUse as error:
        raise typer.BadParameter(
            f"The role {role} is there already and is not the registrar's own: it owns something, "
            "may do more, or is the one that is connected. Name another by --role."
        ) from error
    except errors.UndefinedTable as error:
        raise typer.BadParameter("The database is not migrated: run hexavox migrate.") from error
    except errors.InsufficientPrivilege as error:
        raise typer.BadParameter(
            "DATABASE_URL must name the database's owner, with the right to make roles."
        ) from error
    typer.echo(f"Schema {kamailio.SCHEMA} and role {role} are ready.")


@app.command("token-key")
def token_key() -> None:
    """Print the signing key of browser tokens, in hex, for a gateway that verifies them."""
    secret = read_settings(Settings).server_secret
    if secret is None:
        raise BadSettings("HEXAVOX_SERVER_SECRET is not set: the key is derived from it.")
    typer.echo(SipSecrets(secret.get_secret_value()).token_key.hex())
