"""What `scripts/run` and `scripts/stop` do: a local cluster with the API and its worker in front of it."""
