"""Fixes for differences between the emulator and AWS that a release would notice. Each part has `apply()`."""
