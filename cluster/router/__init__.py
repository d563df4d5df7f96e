"""A stand-in for `mongos`, for development and tests, where no real one is installed.

It speaks MongoDB's wire protocol, answers as a mongos does, and leaves the routing to the router code inside
`mongod` wherever that is reachable (`cluster*` commands). What that code cannot do (retryable writes,
`findAndModify`, transactions, targeted reads at full speed) goes straight to the owning shard with a shard version.

wire                    messages in and out
scram, members          logged-in connections to members; replica sets and their primaries
clock                   the cluster's time, signed for clients
shards                  the sets, their calls, and retries as mongos does them
keys, chunks            where a document lives
operation               one command of a client on its way
reads, merge, counting, explain, continuing, cursors, streams, writes, transactions    documents
metadata, ranges, statistics, process, upkeep    everything else that is asked of a router
access                  logins, and what a user may do
commands, shapes        one table from a command's name to its handler and the privilege that it needs
server, housekeeping    client connections; what is done without being asked
"""
