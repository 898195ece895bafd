"""Validates Temporal's own environment variables; its SDK reads them without validation."""

from typing import Self

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from models.configuration.environment_settings import EnvironmentSettings
from models.configuration.setting_types import ApiKey, Domain, Endpoint, File, Name, Pem


class TemporalSettings(EnvironmentSettings):
    """Address and credentials of Temporal, as `workflows/client.py` will use them."""

    model_config = SettingsConfigDict(env_prefix="TEMPORAL_")

    address: Endpoint = "127.0.0.1:7233"
    namespace: Name = "default"
    api_key: ApiKey | None = None
    tls: bool = False
    tls_client_cert_path: File | None = None
    tls_client_key_path: File | None = None
    tls_server_ca_cert_path: File | None = None
    tls_client_cert_data: Pem | None = None
    tls_client_key_data: Pem | None = None
    tls_server_ca_cert_data: Pem | None = None
    tls_server_name: Domain | None = None
    tls_disable_host_verification: bool = False
    config_file: File | None = None
    profile: Name = "default"

    @model_validator(mode="after")
    def _has_certificate_and_key(self) -> Self:
        certificate = self.tls_client_cert_path or self.tls_client_cert_data
        key = self.tls_client_key_path or self.tls_client_key_data
        if bool(certificate) != bool(key):
            raise ValueError(
                "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH need each other, "
                "as do TEMPORAL_TLS_CLIENT_CERT_DATA and TEMPORAL_TLS_CLIENT_KEY_DATA"
            )
        return self
