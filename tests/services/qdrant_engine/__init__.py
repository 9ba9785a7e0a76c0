"""Qdrant's own engine behind its REST, for machines where no Qdrant server can run.

`qdrant-edge-py` is the engine that the server is made of, as a package: segments, payload indexes,
filters, HNSW, storage. What is ours, and is no proof of anything, is the thin layer in front of it:
requests are read with the vendor's own request models, so that a body which these refuse is
refused here, and answers have the form of a server. It is not the server: no cluster, no gRPC,
no strict mode, no rate limit, one shard to a collection.
"""
