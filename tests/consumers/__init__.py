"""Tools of other people's that run credproc, as they would on a user's machine."""
