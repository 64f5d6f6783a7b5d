"""OTLP messages as this program reads them: wire-compatible, but text fields are declared `bytes`.

The official descriptors would refuse a whole request for one string that is not UTF-8. Messages inside others
are kept as bytes too: each is parsed by itself, so that a damaged span leaves its siblings alone, and a large
one is counted before it is parsed. Field numbers are those of opentelemetry-proto 1.x.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "litefuse.otlp"
_KINDS = {
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
    "double": _Field.TYPE_DOUBLE,
    "fixed64": _Field.TYPE_FIXED64,
    "int32": _Field.TYPE_INT32,
}

# message -> {field: (number, type)}; "[]" marks repeated fields, other names are messages of this table.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Request": {"resource_spans": (1, "[]bytes")},
    "ResourceSpans": {"resource": (1, "bytes"), "scope_spans": (2, "[]bytes")},
    "Resource": {"attributes": (1, "[]KeyValue")},
    "ScopeSpans": {"scope": (1, "bytes"), "spans": (2, "[]bytes")},
    "Scope": {"name": (1, "bytes"), "version": (2, "bytes"), "attributes": (3, "[]KeyValue")},
    "Span": {
        "trace_id": (1, "bytes"),
        "span_id": (2, "bytes"),
        "parent_span_id": (4, "bytes"),
        "name": (5, "bytes"),
        "kind": (6, "int32"),
        "start_time_unix_nano": (7, "fixed64"),
        "end_time_unix_nano": (8, "fixed64"),
        "attributes": (9, "[]KeyValue"),
        "events": (11, "[]bytes"),
        "status": (15, "Status"),
    },
    # An export of logs is built as one of spans, down to its records.
    "LogRecord": {
        "time_unix_nano": (1, "fixed64"),
        "body": (5, "bytes"),
        "attributes": (6, "[]KeyValue"),
        "trace_id": (9, "bytes"),
        "span_id": (10, "bytes"),
        "observed_time_unix_nano": (11, "fixed64"),
        "event_name": (12, "bytes"),
    },
    "Event": {"time_unix_nano": (1, "fixed64"), "name": (2, "bytes"), "attributes": (3, "[]KeyValue")},
    "Status": {"message": (2, "bytes"), "code": (3, "int32")},
    # Values are strings nearly always, which `otlp` cuts out without building a message.
    "KeyValue": {"key": (1, "bytes"), "value": (2, "bytes")},
    "AnyValue": {
        "string_value": (1, "bytes"),
        "bool_value": (2, "bool"),
        "int_value": (3, "int64"),
        "double_value": (4, "double"),
        "array_value": (5, "bytes"),
        "kvlist_value": (6, "bytes"),
        "bytes_value": (7, "bytes"),
    },
    "ArrayValue": {"values": (1, "[]bytes")},
    "KeyValueList": {"values": (1, "[]KeyValue")},
    # What gRPC answers.
    "Response": {"partial_success": (1, "PartialSuccess")},
    "PartialSuccess": {"rejected": (1, "int64"), "error_message": (2, "bytes")},
    # The messages with pairs once more, with the pairs as bytes: to count them at little cost.
    "CountResource": {"pairs": (1, "[]bytes")},
    "CountScope": {"pairs": (3, "[]bytes")},
    "CountSpan": {"pairs": (9, "[]bytes")},
    "CountEvent": {"pairs": (3, "[]bytes")},
    "CountLogRecord": {"pairs": (6, "[]bytes")},
    "CountKeyValueList": {"pairs": (1, "[]bytes")},
}


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    repeated = kind.startswith("[]")
    kind = kind.removeprefix("[]")
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if kind in _KINDS:
        field.type = _KINDS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    if message.name == "AnyValue":
        field.oneof_index = 0


def _build() -> dict[str, Any]:
    """The message classes by name, in a descriptor pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="litefuse/otlp.proto", package=_PACKAGE, syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        if message_name == "AnyValue":
            message.oneof_decl.add(name="value")
        for name, (number, kind) in fields.items():
            _add_field(message, name, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


MESSAGES = _build()
AnyValue = MESSAGES["AnyValue"]
