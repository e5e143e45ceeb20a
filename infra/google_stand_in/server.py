"""The provider as a server: Terraform attaches to it instead of starting a plugin of its own."""

import json
import os
from collections.abc import Callable, Collection
from concurrent import futures
from typing import Any

import grpc

from google_stand_in.protocol import ERROR, LIST, MESSAGES, SINGLE
from google_stand_in.rules import Rules
from google_stand_in.schema import Block, Schema, load
from google_stand_in.values import made, packed, planned, unpacked

PROVIDER = "hashicorp/google"


class StandIn:
    """The running stand-in: `environment` is what Terraform needs to find it.

    Terraform reads the whole schema with each command, half a second for all 1,469 types; `kinds` offers only these.
    """

    def __init__(self, kinds: Collection[str] | None = None) -> None:
        schema = load() if kinds is None else load().only(kinds)
        calls = Calls(schema, Rules())
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=unlimited)
        self._server.add_generic_rpc_handlers((_Router(calls),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> "StandIn":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Terraform attach, ask nobody for news of itself, and not ask people either."""
        address = {"Network": "tcp", "String": f"127.0.0.1:{self._port}"}
        attached = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True, "Addr": address}
        return {
            "TF_REATTACH_PROVIDERS": json.dumps({PROVIDER: attached}),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_CLI_CONFIG_FILE": os.devnull,
        }


class Calls:
    """Each call of the protocol: a request's bytes in, a reply's message out."""

    def __init__(self, schema: Schema, rules: Rules):
        self._schema = schema
        self._rules = rules
        self._described = _described(schema)

    def GetSchema(self, _: bytes) -> Any:  # noqa: N802 (the protocol's own names)
        """All that the provider offers."""
        return self._described

    def PrepareProviderConfig(self, body: bytes) -> Any:  # noqa: N802
        """The provider's own configuration is taken as it is."""
        return MESSAGES["PreparedResponse"](prepared_config=MESSAGES["ConfigRequest"].FromString(body).config)

    def Configure(self, _: bytes) -> Any:  # noqa: N802
        """There is nobody to log in to."""
        return MESSAGES["Empty"]()

    def Stop(self, _: bytes) -> Any:  # noqa: N802
        """Nothing takes long enough to be stopped."""
        return MESSAGES["Empty"]()

    def ValidateDataSourceConfig(self, _: bytes) -> Any:  # noqa: N802
        """The schema says all."""
        return MESSAGES["ValidateResponse"]()

    def ValidateResourceTypeConfig(self, body: bytes) -> Any:  # noqa: N802
        """What the provider would refuse by its own rules."""
        asked = MESSAGES["ValidateRequest"].FromString(body)
        block, config = self._schema.resources[asked.type_name], unpacked(asked.config)
        reply = MESSAGES["ValidateResponse"]()
        for fault in self._rules.faults(asked.type_name, block, config):
            reply.diagnostics.add(severity=ERROR, summary=f"{asked.type_name}: {fault.path}", detail=fault.why)
        return reply

    def UpgradeResourceState(self, body: bytes) -> Any:  # noqa: N802
        """The schema has one version."""
        asked = MESSAGES["UpgradeRequest"].FromString(body)
        return MESSAGES["StateResponse"](state=MESSAGES["DynamicValue"](json=asked.raw_state.json))

    def ReadResource(self, body: bytes) -> Any:  # noqa: N802
        """Nobody changes anything behind Terraform's back."""
        return MESSAGES["StateResponse"](state=MESSAGES["ReadRequest"].FromString(body).current_state)

    def ReadDataSource(self, body: bytes) -> Any:  # noqa: N802
        """Something of the right form."""
        asked = MESSAGES["DataRequest"].FromString(body)
        state = made(asked.type_name, unpacked(asked.config), self._schema.data[asked.type_name])
        return MESSAGES["StateResponse"](state=packed(state))

    def PlanResourceChange(self, body: bytes) -> Any:  # noqa: N802
        """What is written, and for a new resource unknowns for the rest."""
        asked = MESSAGES["PlanRequest"].FromString(body)
        proposed, state = asked.proposed_new_state, unpacked(asked.proposed_new_state)
        if state is not None and unpacked(asked.prior_state) is None:
            proposed = packed(planned(state, self._schema.resources[asked.type_name]))
        return MESSAGES["PlanResponse"](planned_state=proposed, legacy_type_system=True)

    def ApplyResourceChange(self, body: bytes) -> Any:  # noqa: N802
        """What was planned, with everything known."""
        asked = MESSAGES["ApplyRequest"].FromString(body)
        state = unpacked(asked.planned_state)
        if state is not None:
            state = made(asked.type_name, state, self._schema.resources[asked.type_name])
        return MESSAGES["ApplyResponse"](new_state=packed(state), legacy_type_system=True)


class _Router(grpc.GenericRpcHandler):
    """Finds a call by its name; calls that this provider has not are unimplemented, as Terraform expects."""

    def __init__(self, calls: Calls):
        self._calls = calls

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a call, or None."""
        service, _, name = handler_call_details.method.strip("/").rpartition("/")
        call: Callable[[bytes], Any] | None = getattr(self._calls, name, None)
        if service != "tfplugin5.Provider" or call is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda body, _: call(body).SerializeToString())


def _described(schema: Schema) -> Any:
    reply = MESSAGES["GetSchemaResponse"](provider=_schema(schema.provider))
    for items, blocks in ((reply.resource_schemas, schema.resources), (reply.data_source_schemas, schema.data)):
        for name, block in blocks.items():
            items.add(key=name, value=_schema(block))
    return reply


def _schema(block: Block) -> Any:
    return MESSAGES["Schema"](block=_block(block))


def _block(block: Block) -> Any:
    reply = MESSAGES["Block"]()
    for name, kind in block.required.items():
        reply.attributes.add(name=name, type=json.dumps(kind).encode(), required=True)
    for name, kind in block.optional.items():
        reply.attributes.add(name=name, type=json.dumps(kind).encode(), optional=True, computed=True)
    for name, kind in block.computed.items():
        reply.attributes.add(name=name, type=json.dumps(kind).encode(), computed=True)
    for name, nested in block.nested.items():
        once = name == "timeouts"
        reply.block_types.add(
            type_name=name,
            block=_block(nested.block),
            nesting=SINGLE if once else LIST,
            min_items=int(nested.required and not once),
            max_items=int(nested.single and not once),
        )
    return reply
