"""What the server counts, for Prometheus (``/metrics``).

Reads and writes nothing. One process serves; more load is more containers, each with its own counters.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

REQUESTS = Counter("http_requests", "Requests by route and status", ["route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "predict_seconds",
    "Time from the request to its answer on record",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
PREDICTIONS = Counter("predictions", "Records scored", ["arm", "decision", "reason"], registry=REGISTRY)
REFUSED = Counter("refused_records", "Records refused beside others that were answered", registry=REGISTRY)
BATCH = Histogram(
    "batch_records", "Records per model call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256), registry=REGISTRY
)
UNLOGGED = Counter(
    "log_failures", "Batches that the database did not take, and that were not answered", registry=REGISTRY
)
SHADOW_FAILURES = Counter("shadow_failures", "Batches that the challenger failed silently", registry=REGISTRY)
READY = Gauge("ready", "1 when the server can answer", registry=REGISTRY)
SWAPS = Gauge("model_swaps", "Changes of the served versions since the start", registry=REGISTRY)
SERVING = Gauge("model_info", "1 for each version that is served", ["arm", "version", "artefact"], registry=REGISTRY)
