"""Lints of our own rules: each is a command for `make check` and a function that the house tests call."""
