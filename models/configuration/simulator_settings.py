"""Settings of the simulator process: no database, no Temporal, and only its own two secrets."""

from pydantic import Field

from models.configuration.setting_types import Folder, Host, Port, Secret
from models.settings import ServingSettings


class SimulatorSettings(ServingSettings):
    """The settings of `hexavox simulator`."""

    simulator_host: Host = "127.0.0.1"
    simulator_port: Port = 8090
    simulator_data_dir: Folder | None = None
    simulator_secret: Secret = Field(
        description="Signs the simulator's webhooks and the calls to it."
    )
    simulator_token: Secret = Field(
        description="Bearer token for what changes something at the simulator's console."
    )
