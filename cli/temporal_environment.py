"""Checks Temporal's environment variables; only commands that connect to it import this."""

from temporalio.envconfig import ClientConfig

from models.configuration.environment_settings import BadSettings
from models.configuration.temporal_settings import TemporalSettings


def check_temporal() -> None:
    """Raise BadSettings if Temporal's SDK cannot use the environment."""
    TemporalSettings.read()
    try:
        ClientConfig.load_client_connect_config()
    except (RuntimeError, OSError, ValueError):
        raise BadSettings(
            "TEMPORAL_CONFIG_FILE and TEMPORAL_PROFILE must be a readable TOML file and one of its "
            "profiles"
        ) from None
