"""What a router answers, command by command: the rows that `test_conformance.py` plays against the cluster's router.

row       a row of the table, and how an answer is held against it
stage     the database that the rows play in
greeting, reading, writing, collections, ranges, people, router   the rows, by concern

The same rows hold for MongoDB's own mongos and for the stand-in.
"""
