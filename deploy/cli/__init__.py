"""The `peerline` command: what a regional operator does by hand."""
