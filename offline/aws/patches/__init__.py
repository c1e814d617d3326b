"""What the emulator does otherwise than AWS and a release would notice, put right. Each part has `apply()`."""
