"""The messages of Pinecone's gRPC that the adapter's verbs are made of.

The numbers and types are those of the published protocol, `db_data` 2025-10, which the client
speaks (https://github.com/pinecone-io/pinecone-python-client, rust/proto). Names do not travel.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import (  # type: ignore[import-untyped]  # stubs are another package
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    struct_pb2,
)

PACKAGE: Final = "polyvec.tests.pinecone"
STRUCT: Final = f".{struct_pb2.Struct.DESCRIPTOR.full_name}"

MESSAGES: Final = {
    "Vector": "id:1 string, values:2 float*, metadata:3 Struct",
    "ScoredVector": "id:1 string, score:2 float, values:3 float*, metadata:4 Struct",
    "Usage": "read_units:1 uint32",
    "Pagination": "next:1 string",
    "UpsertRequest": "vectors:1 Vector*, namespace:2 string",
    "UpsertResponse": "upserted_count:1 uint32",
    "DeleteRequest": "ids:1 string*, delete_all:2 bool, namespace:3 string, filter:4 Struct",
    "DeleteResponse": "",
    "FetchRequest": "ids:1 string*, namespace:2 string",
    "FetchResponse": "vectors:1 Vector{}, namespace:2 string, usage:3 Usage",
    "ListRequest": "prefix:1 string, limit:2 uint32, pagination_token:3 string, namespace:4 string",
    "ListItem": "id:1 string",
    "ListResponse": (
        "vectors:1 ListItem*, pagination:2 Pagination, namespace:3 string, usage:4 Usage"
    ),
    "QueryRequest": (
        "namespace:1 string, top_k:2 uint32, filter:3 Struct, include_values:4 bool,"
        " include_metadata:5 bool, vector:7 float*, id:8 string"
    ),
    "QueryResponse": "matches:2 ScoredVector*, namespace:3 string, usage:4 Usage",
    "UpdateRequest": (
        "id:1 string, values:2 float*, set_metadata:3 Struct, namespace:4 string, filter:6 Struct,"
        " dry_run:7 bool"
    ),
    "UpdateResponse": "matched_records:1 int32",
    "NamespaceDescription": "name:1 string, record_count:2 uint64",
    "ListNamespacesRequest": "pagination_token:1 string, limit:2 uint32, prefix:3 string",
    "ListNamespacesResponse": (
        "namespaces:1 NamespaceDescription*, pagination:2 Pagination, total_count:3 int32"
    ),
    "DescribeNamespaceRequest": "namespace:1 string",
}
"""Fields by their numbers; `*` is repeated, `{}` a map from strings."""

_Field = descriptor_pb2.FieldDescriptorProto


def _add(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    name, _, rest = text.partition(":")
    number, _, kind = rest.partition(" ")
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind.endswith("*"):
        field.label = _Field.LABEL_REPEATED
        field.options.packed = kind == "float*"
    plain = kind.rstrip("*{}")
    if kind.endswith("{}"):
        field.label = _Field.LABEL_REPEATED
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add(entry, "key:1 string")
        _add(entry, f"value:2 {plain}")
        _set_type(field, f".{PACKAGE}.{message.name}.{entry.name}")
    elif plain[0].islower():
        field.type = _Field.Type.Value(f"TYPE_{plain.upper()}")
    else:
        _set_type(field, STRUCT if plain == "Struct" else f".{PACKAGE}.{plain}")


def _set_type(field: descriptor_pb2.FieldDescriptorProto, name: str) -> None:
    field.type = _Field.TYPE_MESSAGE
    field.type_name = name


def _made() -> dict[str, type[Any]]:
    # The second version of the language tells a zero from what is not there, as an answer must.
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto2"
    )
    file.dependency.append(struct_pb2.DESCRIPTOR.name)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in filter(None, fields.split(", ")):
            _add(message, text)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in MESSAGES
    }


BY_NAME: Final = _made()
"""The classes of the messages."""
