"""Real HTTP servers on loopback that behave as the subnet's gateway, Replicate and OpenAI do, faults included."""

from simulator.faults import Fault, Faults, Kind
from simulator.openai import OpenAiApi
from simulator.replicate import ReplicateApi
from simulator.server import Simulator, background
from simulator.subnet import Service, SubnetGateway

__all__ = [
    "Fault",
    "Faults",
    "Kind",
    "OpenAiApi",
    "ReplicateApi",
    "Service",
    "Simulator",
    "SubnetGateway",
    "background",
]
