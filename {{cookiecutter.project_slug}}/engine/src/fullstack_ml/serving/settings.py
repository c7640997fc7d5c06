"""Deployment settings and secrets, from the environment or the file ``.env``: ``SERVE_*``, ``MLFLOW_TRACKING_*``.

What is true of the product stands in ``product.yaml``, how a model is made in ``conf/``; here stands only what differs
between a laptop and a server. Reads the environment; writes nothing.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fullstack_ml.workspace.errors import Location, explain


class Settings(BaseSettings):
    """Every setting has a default with which ``make serve`` runs on a laptop."""

    model_config = SettingsConfigDict(env_prefix="SERVE_", env_file=".env", extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    api_key: SecretStr | None = None
    open: bool = Field(default=False, description="serve without a key on an address that other machines reach")

    model: str = Field(default="registry", description="`registry`, or the path of an ONNX file")
    folder: Path = Field(default=Path("served"), description="versions that were fetched from the registry")
    poll_seconds: float = Field(default=2, gt=0, description="how often the registry's aliases are read")
    tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    tracking_username: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_USERNAME")
    tracking_password: SecretStr | None = Field(default=None, validation_alias="MLFLOW_TRACKING_PASSWORD")
    tracking_token: SecretStr | None = Field(default=None, validation_alias="MLFLOW_TRACKING_TOKEN")

    rollout: Literal["off", "shadow", "canary"] = "shadow"
    canary_share: float = Field(default=0.1, ge=0, le=1, description="share of callers that the challenger answers")

    database_url: SecretStr = Field(default=SecretStr("sqlite:///predictions.db"), min_length=1)
    synchronous: Literal["FULL", "NORMAL"] = Field(
        default="NORMAL", description="SQLite: FULL survives a power cut too"
    )
    lock_seconds: float = Field(default=1, gt=0, description="how long a write waits for a locked database")

    max_body_bytes: int = Field(default=4 * 2**20, gt=0)
    max_rows: int = Field(default=256, gt=0, description="records per request")
    max_pixels: int = Field(
        default=50_000_000, gt=0, description="pixels of all pictures of a request, by their headers"
    )
    max_queued: int = Field(default=4096, gt=0, description="records that wait; beyond it the server answers 503")
    request_seconds: float = Field(
        default=10, gt=0, description="time in which a request's headers, and then its answer, have to be there"
    )

    @model_validator(mode="after")
    def _closed(self) -> "Settings":
        if not (is_loopback(self.host) or self.open or self.api_key):
            raise ValueError(f"SERVE_HOST {self.host} can be reached by others: set SERVE_API_KEY, or SERVE_OPEN=true")
        key = self.api_key.get_secret_value() if self.api_key else None
        if key is not None and (len(key) < 16 or len(set(key)) < 6 or not key.isascii() or not key.isprintable()):
            raise ValueError("SERVE_API_KEY has fewer than 16 characters, of which 6 differ, in plain ASCII")
        if key is not None and " " in key:
            raise ValueError("SERVE_API_KEY has a blank")
        return self

    @property
    def remote(self) -> bool:
        """Whether versions come from a tracking server; if not, ``make serve`` follows the local store."""
        return self.model == "registry" and (self.tracking_uri or "").startswith("http")


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read() -> Settings:
    """Read the environment.

    Raises:
        UserError: for the first setting that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise explain(error, Settings, lambda _: "the environment or .env", _variable) from error


def _variable(location: Location) -> str:
    """Name the environment variable of a setting."""
    name = str(location[0])
    return name if name.startswith("MLFLOW") else f"SERVE_{name}".upper()
