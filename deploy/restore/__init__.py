"""What has to be done before a restored database may serve again: the time since its backup is laid aside."""
