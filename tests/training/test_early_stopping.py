from __future__ import annotations

from yinshi.training.early_stopping import EarlyStopping


def test_stops_after_patience_epochs_without_a_new_best() -> None:
    stopping = EarlyStopping(patience=2)
    seen = [
        (stopping.improved(p), stopping.exhausted) for p in (50.0, 40.0, 41.0, 39.0, 39.0, 45.0)
    ]
    assert seen == [
        (True, False),
        (True, False),
        (False, False),
        (True, False),
        (False, False),  # equal is no gain
        (False, True),
    ]
    assert stopping.best == 39.0


def test_without_patience_it_never_stops() -> None:
    stopping = EarlyStopping(patience=None)
    for _ in range(100):
        stopping.improved(1.0)
    assert not stopping.exhausted
