"""Live changes: one change stream a process, fanned out to clients, each of whom sees what they may.

`source` reads the stream, `hub` keeps the latest of it for all clients of a process, `viewer` decides what one client
is told, `catch_up` brings back who was away, and `feed` is the answer that a client holds open.
"""
