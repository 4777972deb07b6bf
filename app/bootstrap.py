"""The one composition root, for API, workers and CLI alike: settings in, connected services out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from opensearchpy import AsyncOpenSearch

from app.config import Settings
from app.db.indices import IndexRepository
from app.db.learned import LearnedRepository
from app.db.session import Database
from app.db.steps import StepKind, StepRepository
from app.files.blocks import ReaderLimits
from app.files.s3_store import S3FileStore, S3Settings
from app.files.store import LocalFileStore
from app.limits.foreground import Foreground
from app.limits.valkey import SharedValkey
from app.outbound import Outbound
from app.ports import FileStore
from app.profiles import load_profiles
from app.queue import ArqQueue
from app.search.client import Endpoint
from app.search.decisions import DecisionIndex
from app.search.names import IndexNames
from app.search.retrieval import OpenSearchCandidateIndex
from app.services.activation import ActivationService
from app.services.audit import AuditService
from app.services.batches import BatchService
from app.services.calibration import CalibrationService
from app.services.calibrations import Calibrations
from app.services.credits import CreditService
from app.services.datasets import DatasetService
from app.services.decisions import DecisionLog
from app.services.file_append import FileAppendService
from app.services.file_jobs.assembly import Assembler, Layout, no_facts
from app.services.file_jobs.chunk_files import RESULT_COLUMNS
from app.services.file_jobs.chunks import ChunkMatcher
from app.services.file_jobs.cleaning import Cleaner
from app.services.file_jobs.delta.chunks import DeltaChunkMatcher
from app.services.file_jobs.delta.plan import DeltaPlanner
from app.services.file_jobs.delta.results import DELTA_COLUMNS
from app.services.file_jobs.delta.scope import Scopes
from app.services.file_jobs.delta.service import DeltaService, DeltaSources
from app.services.file_jobs.lane import Doer, FileLane
from app.services.file_jobs.plan import Cutter, Planner, PlanRules
from app.services.file_jobs.rows import RowMatcher
from app.services.file_jobs.service import FileJobService
from app.services.idempotency import IdempotencyService
from app.services.index_verify import Verifier
from app.services.job_charges import JobCharges
from app.services.jobs import JobService
from app.services.keys import KeyService
from app.services.labels import LabelService
from app.services.learned import LearnedCache
from app.services.lifetimes import Lifetimes
from app.services.limits import LimitService
from app.services.match import MatchService
from app.services.match_recheck import Rechecker
from app.services.match_targets import MatchTargets
from app.services.meter import Meter
from app.services.orphans import Orphans
from app.services.pulse import PulseService
from app.services.retention import RetentionService, Rule
from app.services.runner import JobRunner
from app.services.scopes import roles
from app.services.scratch import Scratch
from app.services.standing_decisions import StandingDecisions
from app.services.standings import Standings
from app.services.upload_urls import UploadUrls
from app.services.uploads import UploadRules, UploadService
from app.services.webhook_courier import Courier
from app.services.webhook_secrets import WebhookSecrets
from app.services.webhooks import WebhookService
from app.tariff import load_tariff


@dataclass(slots=True)
class Services:
    """All use cases of a process, and what they are connected to."""

    settings: Settings
    db: Database
    search: AsyncOpenSearch
    queue: ArqQueue
    keys: KeyService
    audit: AuditService
    idempotency: IdempotencyService
    datasets: DatasetService
    jobs: JobService
    match: MatchService
    batches: BatchService
    activation: ActivationService
    runner: JobRunner
    decisions: DecisionLog
    retention: RetentionService
    webhooks: WebhookService
    webhook_secrets: WebhookSecrets
    courier: Courier
    outbound: Outbound
    standings: Standings
    limits: LimitService
    meter: Meter
    credits: CreditService
    uploads: UploadService
    file_appends: FileAppendService
    pulse: PulseService
    learned: LearnedCache
    standing_decisions: StandingDecisions
    labels: LabelService
    calibrations: Calibrations
    calibration: CalibrationService
    files: FileJobService
    deltas: DeltaService
    lane: FileLane

    async def delete_dataset(self, organisation_id: str, dataset_id: str) -> None:
        await self.activation.drop(await self.datasets.delete(organisation_id, dataset_id))

    async def repair(self) -> None:
        await self.activation.repair()

    def checks(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """By name of a dependency, a call that raises when it does not answer."""
        return {"database": self.db.ping, "search": self.search.info, "queue": self.queue.ping}

    async def close(self) -> None:
        await self.meter.close()
        await self.keys.close()
        await self.limits.close()
        await self.outbound.close()
        await self.decisions.close()
        await self.search.close()
        await self.queue.close()
        await self.db.close()


async def build(settings: Settings) -> Services:
    """Connects everything; engines may still be away.

    Raises InternalError when a profile, a role or the tariff cannot be right.
    """
    load_profiles()
    roles()
    db = Database(settings.database_url)
    await db.migrate()
    store = _store(settings)
    search = Endpoint.from_settings(settings).async_client(settings.opensearch_timeout_ms)
    index = OpenSearchCandidateIndex(search)
    queue = ArqQueue(settings.redis_url)
    server_secret = settings.key_hash_secret.get_secret_value()
    outbound = Outbound(settings.webhook_allowed_networks, settings.webhook_allowed_ports, settings.webhook_timeout_s)
    webhooks = WebhookService(db, outbound, settings.public_base_url)
    secrets = WebhookSecrets(db, server_secret)
    courier = Courier(db, secrets, outbound, settings.webhook_retry_waits_s)
    tariff = load_tariff(settings.tariff_file)
    standings = Standings(db, tariff, settings.environment)
    valkey = SharedValkey(settings.redis_url)
    limits = LimitService(db, valkey, standings, settings.limits_enabled)
    meter = Meter(db, standings, tariff, settings.credits_enabled)
    jobs = JobService(db, queue, webhooks, limits, JobCharges(tariff, settings.credits_enabled))
    datasets = DatasetService(db, store)
    learned = LearnedCache(LearnedRepository(db))
    indices = IndexRepository(db)
    match = MatchService(index, MatchTargets(indices, store, learned), Foreground(valkey))
    decisions = DecisionLog(
        DecisionIndex(search, settings.index_prefix, settings.index_replicas),
        db,
        server_secret,
        timedelta(days=settings.decisions_kept_days),
        settings.decisions_waiting_max,
    )
    batches = BatchService(match, jobs, decisions)
    activation = ActivationService(db, store, datasets, jobs, Verifier(index), settings)
    labels = LabelService(db)
    calibrations = Calibrations(db, learned)
    calibration = CalibrationService(match, labels, calibrations, jobs)
    keys = KeyService(db, server_secret, valkey)
    idempotency = IdempotencyService(db, server_secret)
    kept = timedelta(hours=settings.uploads_kept_hours)
    upload_rules = UploadRules(settings.upload_limit_bytes, settings.upload_url_lifetime_s, kept)
    uploads = UploadService(db, store, UploadUrls(server_secret), upload_rules)
    reader_limits = ReaderLimits(unpacked_bytes=settings.unpacked_limit_bytes)
    file_appends = FileAppendService(db, store, uploads, jobs, reader_limits)
    handlers = {
        "activate": activation.run,
        "match_batch": batches.run,
        "append": file_appends.run,
        "calibrate": calibration.run,
    }
    runner = JobRunner(jobs, queue, handlers)
    files = FileJobService(match, jobs, uploads, store)
    steps = StepRepository(db)
    deltas = DeltaService(DeltaSources(match, indices, steps, uploads, store), jobs)
    cutter = Cutter(steps, jobs, store, uploads, PlanRules(reader_limits, settings.file_chunk_rows))
    rows, scopes, scratch = RowMatcher(steps, match, decisions), Scopes(store), _assembly_dir(settings)
    doers: dict[str, dict[StepKind, Doer]] = {
        "match_files": {
            StepKind.PLAN: Planner(cutter).run,
            StepKind.CHUNK: ChunkMatcher(steps, store, rows).run,
            StepKind.ASSEMBLE: Assembler(steps, store, jobs, scratch, Layout(RESULT_COLUMNS, no_facts)).run,
        },
        "match_delta": {
            StepKind.PLAN: DeltaPlanner(cutter, match, store, scopes).run,
            StepKind.CHUNK: DeltaChunkMatcher(steps, store, rows, Rechecker(match), scopes).run,
            StepKind.ASSEMBLE: Assembler(steps, store, jobs, scratch, Layout(DELTA_COLUMNS, scopes.facts)).run,
        },
    }
    lane = FileLane(steps, jobs, Cleaner(steps, store), doers, settings.file_patience_s)
    return Services(
        settings=settings,
        db=db,
        search=search,
        queue=queue,
        keys=keys,
        audit=AuditService(db),
        idempotency=idempotency,
        datasets=datasets,
        jobs=jobs,
        match=match,
        batches=batches,
        activation=activation,
        runner=runner,
        decisions=decisions,
        retention=RetentionService(db, _rules(settings, db, store, decisions, idempotency)),
        webhooks=webhooks,
        webhook_secrets=secrets,
        courier=courier,
        outbound=outbound,
        standings=standings,
        limits=limits,
        meter=meter,
        credits=CreditService(db, meter, standings),
        uploads=uploads,
        file_appends=file_appends,
        pulse=PulseService(db, queue),
        learned=learned,
        standing_decisions=StandingDecisions(db, match, learned),
        labels=labels,
        calibrations=calibrations,
        calibration=calibration,
        files=files,
        deltas=deltas,
        lane=lane,
    )


def _assembly_dir(settings: Settings) -> Path:
    return settings.cache_dir / "assembly"


def _store(settings: Settings) -> FileStore:
    if settings.store_url is None:
        return LocalFileStore(settings.store_dir)
    secret = settings.s3_secret_access_key
    chosen = S3Settings(
        settings.store_url,
        settings.s3_endpoint_url,
        settings.s3_region,
        settings.s3_access_key_id,
        None if secret is None else secret.get_secret_value(),
        settings.cache_limit_bytes,
    )
    return S3FileStore(chosen, settings.cache_dir)


def _rules(
    settings: Settings, db: Database, store: FileStore, decisions: DecisionLog, idempotency: IdempotencyService
) -> dict[str, Rule]:
    """What retention removes, in this order."""
    artefacts = timedelta(hours=settings.artefacts_kept_hours)
    deliveries = timedelta(days=settings.webhook_deliveries_kept_days)
    lifetimes = Lifetimes(db, store, idempotency, artefacts, deliveries)
    grace = timedelta(hours=settings.orphans_kept_hours)
    orphans = Orphans(db, store, Endpoint.from_settings(settings), IndexNames(settings.index_prefix), grace)
    return {
        "jobs": lifetimes.jobs,
        "uploads": lifetimes.uploads,
        "rejects": lifetimes.rejects,
        "webhook_deliveries": lifetimes.deliveries,
        "idempotency_keys": lifetimes.idempotency_keys,
        "decision_days": decisions.expire,
        "orphan_files": orphans.files,
        "orphan_indices": orphans.indices,
        "scratch": Scratch(_assembly_dir(settings), grace).remove,
    }
