"""The same examples in every run, and no time limit: a slow machine is not a wrong derivative."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """Start long tests first, so that none is left running alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
