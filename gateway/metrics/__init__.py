"""Metrics for Prometheus: what there is (`families`), where it comes from, how workers' values become one answer."""

from gateway.metrics.facts import AuditFacts, CalendarFacts, StoreFacts, WorkerFacts
from gateway.metrics.meters import FORWARDED, REFUSED, STREAMED, Meters, kind_of
from gateway.metrics.pool import CONTENT_TYPE, Pool, Seat
from gateway.metrics.rooms import room_metrics
from gateway.metrics.worker import worker_metrics

__all__ = [
    "CONTENT_TYPE",
    "FORWARDED",
    "REFUSED",
    "STREAMED",
    "AuditFacts",
    "CalendarFacts",
    "Meters",
    "Pool",
    "Seat",
    "StoreFacts",
    "WorkerFacts",
    "kind_of",
    "room_metrics",
    "worker_metrics",
]
