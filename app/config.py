"""Settings of every process, read once from `FOUNDRYOPS_*` variables; frozen after that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_DEVELOPMENT_SECRET = "development-only-secret"  # noqa: S105 - refused in production


class Settings(BaseSettings):
    """One field, one environment variable: `FOUNDRYOPS_` + the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="FOUNDRYOPS_", frozen=True, extra="ignore", hide_input_in_errors=True)

    environment: Annotated[
        Literal["development", "production"], Field(description="production refuses development defaults")
    ] = "development"
    var_dir: Annotated[Path, Field(description="folder of everything that the embedded stack keeps")] = Path("var")
    log_level: Annotated[str, Field(description="DEBUG, INFO, WARNING or ERROR")] = "INFO"

    api_host: Annotated[str, Field(description="address that the API listens on")] = "127.0.0.1"
    api_port: Annotated[int, Field(description="port that the API listens on")] = 8080
    public_base_url: Annotated[
        str | None, Field(description="URL under which clients reach the API; for signed URLs")
    ] = None

    allowed_hosts: Annotated[
        list[str], Field(description='host names that clients may ask for, as JSON: ["api.acme.com"]; all when empty')
    ] = []
    worker_metrics_port: Annotated[
        int | None, Field(description="port of a worker's /metrics; none when unset, as in the embedded stack")
    ] = None
    otlp_endpoint: Annotated[
        str | None, Field(description="OpenTelemetry collector, http://host:4318; no traces are made when unset")
    ] = None
    trace_ratio: Annotated[float, Field(ge=0, le=1, description="share of the traces begun here that are kept")] = 1.0

    database_url: Annotated[
        str, Field(repr=False, description="SQLAlchemy URL: sqlite+aiosqlite:///… or postgresql+psycopg://…")
    ] = "sqlite+aiosqlite:///var/foundryops.db"
    redis_url: Annotated[str, Field(repr=False, description="Redis or Valkey")] = "redis://127.0.0.1:6379/0"
    opensearch_url: Annotated[str, Field(repr=False, description="OpenSearch ≥ 3.8")] = "http://127.0.0.1:9200"
    opensearch_username: Annotated[str | None, Field(description="basic authentication")] = None
    opensearch_password: Annotated[SecretStr | None, Field(description="basic authentication")] = None
    opensearch_ca_file: Annotated[Path | None, Field(description="CA bundle for https; the system's when unset")] = None
    opensearch_timeout_ms: Annotated[int, Field(description="one search, end to end")] = 2_000
    opensearch_worker_timeout_ms: Annotated[
        int, Field(description="one request of a worker, which asks for many records at once and for nobody who waits")
    ] = 30_000
    index_prefix: Annotated[str, Field(description="first part of every index and alias name")] = "fo"
    index_replicas: Annotated[int, Field(description="replicas of a serving index; 0 on one node")] = 0
    index_shards: Annotated[int, Field(description="shards of an index; one holds tens of millions of records")] = 1
    kept_indices: Annotated[
        int, Field(description="indices kept per dataset for instant rollback, the active one included")
    ] = 2
    build_processes: Annotated[int, Field(description="processes that normalise and bulk-index during activation")] = 2

    store_dir: Annotated[Path, Field(description="folder of the local file store")] = Path("var/files")
    store_url: Annotated[
        str | None, Field(repr=False, description="s3://bucket/prefix; the local folder when unset")
    ] = None
    cache_dir: Annotated[Path, Field(description="local copies of index bundles when the store is remote")] = Path(
        "var/cache"
    )

    s3_endpoint_url: Annotated[str | None, Field(description="of an S3-compatible store; Amazon's when unset")] = None
    s3_region: Annotated[str | None, Field(description="AWS_REGION when unset")] = None
    s3_access_key_id: Annotated[str | None, Field(description="AWS_ACCESS_KEY_ID or the role when unset")] = None
    s3_secret_access_key: Annotated[SecretStr | None, Field(description="AWS_SECRET_ACCESS_KEY when unset")] = None
    cache_limit_bytes: Annotated[int, Field(description="copies in cache_dir; the longest unused go")] = 50 * 1024**3
    upload_limit_bytes: Annotated[int, Field(description="largest file that an upload URL takes")] = 20 * 1024**3
    upload_url_lifetime_s: Annotated[int, Field(description="how long an upload URL can be used")] = 3600
    unpacked_limit_bytes: Annotated[int, Field(description="most that a gzipped input may unpack to")] = 64 * 1024**3

    embedded_opensearch_port: Annotated[
        int, Field(description="embedded OpenSearch; at most 9299; the next free one when taken")
    ] = 9200
    embedded_valkey_port: Annotated[int, Field(description="embedded Valkey; the next free one when taken")] = 6379
    embedded_heap_mb: Annotated[
        int | None, Field(description="heap of the embedded OpenSearch; a quarter of memory up to 2048 when unset")
    ] = None
    embedded_workers: Annotated[int, Field(description="worker processes of the embedded stack")] = 1
    jar_cache_dir: Annotated[
        Path | None, Field(description="OpenSearch's jars; foundryops/jars in the user's cache folder when unset")
    ] = None
    jar_repository_url: Annotated[
        str | None, Field(description="Maven repository to fetch the jars from; the public one when unset")
    ] = None

    key_hash_secret: Annotated[SecretStr, Field(description="HMAC-SHA256 key of stored API keys and signed URLs")] = (
        SecretStr(_DEVELOPMENT_SECRET)
    )

    decisions_waiting_max: Annotated[
        int,
        Field(description="decisions that a process holds until OpenSearch has taken them; 0 keeps no decision log"),
    ] = 20_000
    decisions_kept_days: Annotated[int, Field(description="lifetime of the decision log")] = 30

    uploads_kept_hours: Annotated[
        int, Field(description="what callers sent: an upload, after it came and again after each job that read it")
    ] = 24
    artefacts_kept_hours: Annotated[
        int, Field(description="what jobs keep: records, results and rejects, after their job has ended")
    ] = 24
    webhook_deliveries_kept_days: Annotated[int, Field(description="webhook deliveries, after their last try")] = 30
    orphans_kept_hours: Annotated[
        int, Field(description="files and indices that no record of account knows; longer than the longest job")
    ] = 24

    webhook_allowed_networks: Annotated[
        tuple[str, ...],
        Field(description="special networks (CIDR) that webhooks may reach all the same, as a JSON list"),
    ] = ()
    webhook_allowed_ports: Annotated[
        tuple[int, ...], Field(description="ports that a callback_url may name, as a JSON list")
    ] = (80, 443, 8080, 8443)
    webhook_timeout_s: Annotated[float, Field(description="one try of a webhook, end to end")] = 10.0
    webhook_retry_waits_s: Annotated[
        tuple[float, ...], Field(description="waits between the tries of a webhook, as a JSON list; 8 tries in a day")
    ] = (5, 60, 600, 3_600, 10_800, 25_200, 43_200)

    tariff_file: Annotated[
        Path | None, Field(description="tiers, limits and prices; the bundled tariff.yaml when unset")
    ] = None
    limits_enabled: Annotated[
        bool, Field(description="rate, concurrency and queue limits; off only to measure what they cost")
    ] = True
    credits_enabled: Annotated[bool, Field(description="metering of credits; off only to measure what it costs")] = True
    top_up_url: Annotated[
        str, Field(description="where credits are bought or granted; the `Link` of an answer 402")
    ] = "/api/v2/billing/grants"

    record_body_limit_bytes: Annotated[int, Field(description="match/record")] = 128 * 1024
    batch_body_limit_bytes: Annotated[int, Field(description="match/batch")] = 512 * 1024
    append_body_limit_bytes: Annotated[int, Field(description="datasets/append")] = 10 * 1024 * 1024
    file_chunk_rows: Annotated[int, Field(description="rows of a file that are matched, and retried, together")] = 1_000
    worker_niceness: Annotated[
        int, Field(ge=0, le=19, description="how far workers stand back for the API on a machine that both share")
    ] = 10
    file_patience_s: Annotated[
        float, Field(description="how long a file job waits for an engine or a disk before it fails")
    ] = 3_600.0
    batch_limit_records: Annotated[int, Field(description="match/batch")] = 100
    append_limit_records: Annotated[int, Field(description="datasets/append, inline")] = 10_000

    @model_validator(mode="after")
    def no_development_secret_in_production(self) -> Settings:
        if self.environment == "production" and self.key_hash_secret.get_secret_value() == _DEVELOPMENT_SECRET:
            raise ValueError("FOUNDRYOPS_KEY_HASH_SECRET must be set in production: a long random text, kept for good")
        return self
