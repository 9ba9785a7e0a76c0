# The gateway: docker build --file compose/gateway.Dockerfile --tag polyvec-gateway .
# Its argument is the URL of the store; POLYVEC_GATEWAY_API_KEY is the key that clients send.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY adapters adapters
RUN python -m venv /venv && \
    /venv/bin/pip install --no-cache-dir ".[serve,chroma,qdrant,weaviate,milvus,pgvector]"

FROM python:3.13-slim
COPY --from=build /venv /venv
RUN useradd --system --create-home --home-dir /data polyvec
USER polyvec
WORKDIR /data
EXPOSE 5080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --retries=12 CMD \
    ["/venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5080/readyz', timeout=4)"]
# Without a key it does not start: a container is reached from outside of itself.
ENTRYPOINT ["/venv/bin/polyvec", "serve", "--host", "0.0.0.0", "--port", "5080"]
CMD ["memory:///data/store"]
