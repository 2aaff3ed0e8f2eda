"""A mail server for demos and tests: takes every mail, keeps it in a folder, shows it on a small page."""
