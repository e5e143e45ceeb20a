"""Terraform's plugin protocol, version 5: the messages that a provider needs, made from one table.

Numbers and types are of `tfplugin5.proto`; what this provider neither reads nor writes is left out, as protobuf
passes over unknown fields.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "bool": _FIELD.TYPE_BOOL,
    "int64": _FIELD.TYPE_INT64,
}

# message: field=number:type, and * where it is repeated
_TABLE = """
DynamicValue: msgpack=1:bytes json=2:bytes
Step: attribute_name=1:string element_key_string=2:string element_key_int=3:int64
AttributePath: steps=1:Step*
Diagnostic: severity=1:int64 summary=2:string detail=3:string attribute=4:AttributePath
Attribute: name=1:string type=2:bytes required=4:bool optional=5:bool computed=6:bool
NestedBlock: type_name=1:string block=2:Block nesting=3:int64 min_items=4:int64 max_items=5:int64
Block: version=1:int64 attributes=2:Attribute* block_types=3:NestedBlock*
Schema: version=1:int64 block=2:Block
SchemaItem: key=1:string value=2:Schema
GetSchemaResponse: provider=1:Schema resource_schemas=2:SchemaItem* data_source_schemas=3:SchemaItem*
ConfigRequest: config=1:DynamicValue
PreparedResponse: prepared_config=1:DynamicValue diagnostics=2:Diagnostic*
ValidateRequest: type_name=1:string config=2:DynamicValue
ValidateResponse: diagnostics=1:Diagnostic*
RawState: json=1:bytes
UpgradeRequest: type_name=1:string version=2:int64 raw_state=3:RawState
ReadRequest: type_name=1:string current_state=2:DynamicValue
StateResponse: state=1:DynamicValue
PlanRequest: type_name=1:string prior_state=2:DynamicValue proposed_new_state=3:DynamicValue config=4:DynamicValue
PlanResponse: planned_state=1:DynamicValue requires_replace=2:AttributePath* legacy_type_system=5:bool
ApplyRequest: type_name=1:string prior_state=2:DynamicValue planned_state=3:DynamicValue config=4:DynamicValue
ApplyResponse: new_state=1:DynamicValue legacy_type_system=4:bool
DataRequest: type_name=1:string config=2:DynamicValue
Empty:
"""

LIST, SINGLE = 2, 1
"""How often a nested block may stand: as a list, or once and not as a list."""

ERROR = 1
"""The severity of a diagnostic."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin5.proto", package="tfplugin5", syntax="proto3")
    for line in _TABLE.strip().splitlines():
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name)
        for field in fields.split():
            _add(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"tfplugin5.{message.name}") for message in file.message_type)
    return {descriptor.name: message_factory.GetMessageClass(descriptor) for descriptor in found}


def _add(message: descriptor_pb2.DescriptorProto, written: str) -> None:
    name, _, rest = written.partition("=")
    number, _, kind = rest.partition(":")
    label = _FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL
    field = message.field.add(name=name, number=int(number), label=label)
    kind = kind.rstrip("*")
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".tfplugin5.{kind}"


MESSAGES = _classes()
