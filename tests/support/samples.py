"""Metrics of this process as tests look at them: how much a sample rose."""

from collections.abc import Mapping

from shared.metrics import REGISTRY


class Risen:
    """Samples by name and labels, less what they were when this was made; 0 for one that is not there."""

    def __init__(self) -> None:
        self._before = _samples()

    def __call__(self, name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return _samples().get(key, 0.0) - self._before.get(key, 0.0)


def _samples() -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (one.name, frozenset(one.labels.items())): one.value for family in REGISTRY.collect() for one in family.samples
    }
