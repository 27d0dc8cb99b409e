"""The same examples in every run, and no time limit: a slow machine is not a wrong derivative."""

from math import inf

import pytest
from hypothesis import HealthCheck, settings

from microgradient.compiler.llvm import function
from microgradient.nn.training import interruption

settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Machine code is kept in a folder of this run, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGRADIENT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def first_interrupt(monkeypatch):
    """The first Ctrl-C of a test is no second one, whatever the test before did."""
    monkeypatch.setattr(interruption, "_last", -inf)


def pytest_collection_modifyitems(items):
    """Start long tests first, so that none is left running alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def backend(request, monkeypatch):
    """A backend; "table" is "llvm" with every program run from a table."""
    if request.param != "table":
        return request.param
    monkeypatch.setattr(function, "repeats_little", lambda program, *, often: True)
    return "llvm"
