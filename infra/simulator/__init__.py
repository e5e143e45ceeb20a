"""Real HTTP servers on loopback that behave as the subnet, hosted inference and clouds do, faults included."""

from simulator.chain_lies import Lie
from simulator.chain_node import ChainNode, Limits
from simulator.compute_engine import ComputeEngineApi
from simulator.discord import DiscordApi
from simulator.faults import Fault, Faults, Kind
from simulator.gateway_cli import GatewayCliApi
from simulator.openai import OpenAiApi
from simulator.rented import Cloud, Lies, Rented
from simulator.replicate import ReplicateApi
from simulator.server import Simulator, background
from simulator.storage import StorageApi
from simulator.subnet import Service, SubnetGateway
from simulator.tensordock import TensorDockApi

__all__ = [
    "ChainNode",
    "Cloud",
    "ComputeEngineApi",
    "DiscordApi",
    "Fault",
    "Faults",
    "GatewayCliApi",
    "Kind",
    "Lie",
    "Lies",
    "Limits",
    "OpenAiApi",
    "Rented",
    "ReplicateApi",
    "Service",
    "Simulator",
    "StorageApi",
    "SubnetGateway",
    "TensorDockApi",
    "background",
]
