"""`hexavox api` with limits given as JSON on the command line, so that tests need not wait 30 s."""

import json
import sys

import uvicorn

from api.app import create_app
from api.http.server.client_limits import ClientLimits
from api.http.server.server_protocol import protocol_with
from models.logs import configure_logging
from models.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        port=settings.api_port,
        http=protocol_with(ClientLimits(**json.loads(sys.argv[1]))),
        ws="none",
        log_config=None,
        access_log=False,
    )
