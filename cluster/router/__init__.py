"""A stand-in for `mongos`, for development and tests, where no real one is installed.

It speaks MongoDB's wire protocol, answers as a mongos does, and leaves the routing to the router code inside
`mongod` wherever that is reachable (`cluster*` commands). What that code cannot do (retryable writes,
`findAndModify`, transactions, targeted reads at full speed) goes straight to the owning shard with a shard version.

wire          messages in and out
scram, members   logged-in connections to members; replica sets and their primaries
keys, chunks  where a document lives
shards        the sets, their calls, and retries as mongos does them
shapes        what the fields of commands must be
upkeep        what a DBA asks now and then
commands      one table from a command's name to its handler and the privilege that it needs
server        client connections
"""
