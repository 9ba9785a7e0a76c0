"""What Prometheus reads at `/metrics`."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
# Seconds: a query over memory takes one millisecond, a filtered delete a minute.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "polyvec_gateway_requests_total",
            "Requests answered, by operation and HTTP status.",
            ["operation", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "polyvec_gateway_request_seconds",
            "Seconds from the first byte in to the last byte out, by operation.",
            ["operation"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "polyvec_gateway_requests_under_way",
            "Requests being answered.",
            registry=self.registry,
        )

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text form."""
        return generate_latest(self.registry)
