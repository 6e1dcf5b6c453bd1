"""How deferral goes, for operators."""

from prometheus_client import Counter, Histogram

TEXTS = Counter("llkd_deferred_texts", "Texts passed on to a model's teacher", ["status"])
CALLS = Counter(
    "llkd_deferral_calls", "Requests sent to teachers' servers at prediction", ["outcome"]
)
SECONDS = Histogram(
    "llkd_deferral_seconds",
    "What one prediction waited for its model's teacher",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 2, 3, 5, 8, 10, 15, 20, 30, 60, 120, 200),
)
