"""Fixes for what the emulator does differently from AWS and a release would notice. Each part has `apply()`."""
