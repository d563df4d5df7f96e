"""Every query of the product, one module a collection. A query takes its shard key as parameters.

Each is named `<collection>.<function>`; `cluster/queries.py` declares how it is routed, and commands carry the name.
"""
