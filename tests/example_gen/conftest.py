"""Property tests here decode pictures and read archives: slow on a busy machine, and no worse for it."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
