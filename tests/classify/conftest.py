"""Real data for classification lie beside the checkout, or the tests that need them skip."""

from __future__ import annotations

from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[3] / "shared" / "classify"


@pytest.fixture(scope="session")
def classify_data() -> Path:
    """The folder with csl_ctg, online_shopping_10_cats, ch_auto and thucnews_titles."""
    if not _DATA.is_dir():
        pytest.skip("needs ../shared/classify")
    return _DATA
