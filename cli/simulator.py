"""`hexavox simulator`: runs the simulator with its settings and its private folder."""

import os

from cli.dev.private_files import private_folder
from cli.listening import check_listens
from cli.read_settings import read_settings
from models.configuration.environment_settings import BadSettings
from models.configuration.simulator_settings import SimulatorSettings
from models.logs import configure_logging
from models.settings import Profile
from providers.simulator import messages
from simulator.access import Access
from simulator.server import serve


def serve_simulator(*, in_production: bool) -> None:
    """Serve until stopped. Raises BadSettings and OutOfReach."""
    settings = read_settings(SimulatorSettings)
    if settings.profile is Profile.PRODUCTION and not in_production:
        raise BadSettings(
            "the simulator shows everybody's texts, so it does not run under "
            "HEXAVOX_PROFILE=production unless it is started with --in-production"
        )
    settings.check_for_serving()
    configure_logging(settings.log_level)
    os.umask(0o077)
    if settings.simulator_data_dir is not None:
        private_folder(settings.simulator_data_dir, "HEXAVOX_SIMULATOR_DATA_DIR")
    host, port = settings.simulator_host, settings.simulator_port
    check_listens(host, port, "HEXAVOX_SIMULATOR_HOST", "HEXAVOX_SIMULATOR_PORT")
    serve(
        host=host,
        port=port,
        access=Access(
            signing_secret=settings.simulator_secret.get_secret_value(),
            token=settings.simulator_token.get_secret_value(),
            bound_to=host,
            url=settings.simulator_url,
        ),
        data_dir=settings.simulator_data_dir,
        inbound_url=f"{settings.public_url}/webhooks/{messages.NAME}/inbound",
    )
