"""Pinecone's data over gRPC: what the client's own transport speaks, in front of the gateway.

Our gateway speaks REST alone, as its contract says. Pinecone's messages have a REST form each, the
one that protobuf defines, so this turns one into the other and asks the gateway. Indexes are told
apart by a port each; the control plane, which has no gRPC, is passed through, with the hosts of
indexes replaced. With `POLYVEC_TEST_PINECONE_URL` it is the service itself.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import httpx
from google.protobuf import json_format  # type: ignore[import-untyped]  # stubs are another package
from tests.services import Server
from tests.services.forward import Forward
from tests.services.one_port import OnePort
from tests.services.pinecone import Gateway
from tests.services.pinecone_messages import BY_NAME

from polyvec.types import as_any

Json = dict[str, Any]

LARGEST: Final = 100_000_000
"""Bytes of a message: the client has no limit."""

WORKERS: Final = 16

PATIENCE_S: Final = 120.0
"""Longer than any test waits; who waits is the client."""

CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True)
class Call:
    """What a method of the service is in REST.

    Parameters
    ----------
    method, path
        Of HTTP; `{namespace}` stands for a field of the request.
    request, answer
        Names of the messages; a method without a body has the request's fields in its URL.
    """

    method: str
    path: str
    request: str
    answer: str


CALLS: Final = {
    "Upsert": Call("POST", "/vectors/upsert", "UpsertRequest", "UpsertResponse"),
    "Query": Call("POST", "/query", "QueryRequest", "QueryResponse"),
    "Fetch": Call("GET", "/vectors/fetch", "FetchRequest", "FetchResponse"),
    "List": Call("GET", "/vectors/list", "ListRequest", "ListResponse"),
    "Update": Call("POST", "/vectors/update", "UpdateRequest", "UpdateResponse"),
    "Delete": Call("POST", "/vectors/delete", "DeleteRequest", "DeleteResponse"),
    "ListNamespaces": Call("GET", "/namespaces", "ListNamespacesRequest", "ListNamespacesResponse"),
    "DescribeNamespace": Call(
        "GET", "/namespaces/{namespace}", "DescribeNamespaceRequest", "NamespaceDescription"
    ),
}


class Data:
    """The data of one index, over gRPC and over REST on one port, as Pinecone has it.

    Parameters
    ----------
    host
        Address of the index at the gateway.
    """

    def __init__(self, host: str) -> None:
        self._base = host
        self._http = httpx.Client(timeout=PATIENCE_S)
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS),
            options=[("grpc.max_receive_message_length", LARGEST)],
        )
        methods = {name: self._handler(call) for name, call in CALLS.items()}
        handler = grpc.method_handlers_generic_handler("VectorService", methods)
        self._server.add_generic_rpc_handlers((handler,))
        port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._rest = Forward(self._asked)
        self._both = OnePort(self._rest.place, ("127.0.0.1", port))
        self.port = self._both.address[1]

    def _handler(self, call: Call) -> Any:
        def answer(request: Any, context: Any) -> Any:
            asked = json_format.MessageToDict(request)
            key = dict(context.invocation_metadata()).get("api-key", "")
            told = self._told(call, asked, key)
            if not told.is_success:
                code = CODES.get(told.status_code, grpc.StatusCode.UNKNOWN)
                context.abort(code, _message(told))
            return json_format.ParseDict(
                told.json(), BY_NAME[call.answer](), ignore_unknown_fields=True
            )

        return as_any(
            grpc.unary_unary_rpc_method_handler(
                answer, BY_NAME[call.request].FromString, BY_NAME[call.answer].SerializeToString
            )
        )

    def _told(self, call: Call, asked: Json, key: str) -> httpx.Response:
        headers, path, body = {"api-key": key}, call.path, b""
        if "{namespace}" in path:
            path = path.format(namespace=_quoted(asked.pop("namespace")))
        if call.method == "GET":
            path += f"?{urlencode(asked, doseq=True)}"
        else:
            body = json.dumps(asked).encode()
            headers["content-type"] = "application/json"
        return self._asked(call.method, path, body, headers)

    def _asked(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        return self._http.request(method, f"{self._base}{path}", content=body, headers=headers)

    def stop(self) -> None:
        """End it."""
        self._both.close()
        self._rest.stop()
        self._server.stop(None)
        self._http.close()


def _quoted(name: str) -> str:
    """Return a name as a part of a path: one that is all dots would be resolved."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _message(told: httpx.Response) -> str:
    try:
        body: Any = told.json()
        return str(body.get("message") or body["error"]["message"])
    except (ValueError, KeyError, AttributeError):
        return told.text


class GrpcGateway(Server):
    """The gateway with gRPC in front of it.

    Parameters
    ----------
    gateway
        Running; this one's to stop.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._data: dict[str, Data] = {}
        self._lock = threading.Lock()
        self._http = httpx.Client(base_url=gateway.base, timeout=PATIENCE_S)
        self._control = Forward(self._asked)
        self.address = self._control.place
        self.url = self.through(*self.address)
        self.what = f"{gateway.what}, by gRPC"

    def through(self, host: str, port: int) -> str:
        return f"pinecone://{host}:{port}?tls=false&grpc=true"

    def _asked(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Ask the gateway, and return its answer with the hosts of indexes replaced."""
        told = self._http.request(method, path, content=body, headers=headers)
        if not told.is_success or not told.content:
            return told
        answer: Json = told.json()
        for model in answer.get("indexes", [answer]):
            if "host" in model:
                model["host"] = f"http://127.0.0.1:{self._port(model['host'])}"
        return httpx.Response(told.status_code, json=answer)

    def _port(self, host: str) -> int:
        with self._lock:
            if host not in self._data:
                self._data[host] = Data(host if "://" in host else f"http://{host}")
            return self._data[host].port

    def stop(self) -> None:
        self._control.stop()
        for data in self._data.values():
            data.stop()
        self._http.close()
        self._gateway.stop()
