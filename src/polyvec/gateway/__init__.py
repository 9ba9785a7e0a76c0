"""A server that speaks Pinecone's REST contract over any store. Needs the extra `serve`.

`polyvec serve STORE_URL` runs it; `app.build(store, settings)` is the application by itself.
Nothing here is imported by `import polyvec`.
"""
