"""The same examples in every run, and no deadline: a slow machine is not a wrong derivative."""

from hypothesis import settings

settings.register_profile("tests", derandomize=True, deadline=None, database=None)
settings.load_profile("tests")
