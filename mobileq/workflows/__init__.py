"""What a person asks for, from start to end: one file per command, each usable as a function."""
