"""A profile for long runs: `make visibility`."""

from hypothesis import settings

settings.register_profile("full", max_examples=33_334, database=None)
