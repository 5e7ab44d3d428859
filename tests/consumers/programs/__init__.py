"""Programs of users, each run by an interpreter or a compiler of its own."""
