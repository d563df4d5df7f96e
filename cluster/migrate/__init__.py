"""Numbered changes, applied one at a time: files, their history in the cluster, the lock, batches over large data."""
