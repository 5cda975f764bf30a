"""The two ends of a gRPC call over a Unix socket, each in a process of its own.

    client SOCKET COMMAND...    starts the server, and then times calls as `asked` describes
    server SOCKET               answers until its standard input ends

Neither needs generated code: what is sent are the eight bytes of a double. In processes of their
own, gRPC's threads disturb nothing else that is timed, and end with them.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import repeat
from time import perf_counter_ns
from typing import Any

__all__ = ["main"]

SERVICE, METHOD = "jumptable.Bench", "fabs"
NUMBER = struct.Struct("<d")
PATIENCE = 20.0
# Before the clock starts, in each turn: calls that take microseconds find their code in the caches,
# for there are thousands in a turn; so shall these.
WARMING = 3


def main(arguments: Sequence[str]) -> None:
    role, socket, *command = arguments
    if role == "server":
        serve(socket)
    else:
        call(socket, command)


def fabs(request: bytes, _: object) -> bytes:
    return NUMBER.pack(abs(NUMBER.unpack(request)[0]))


def serve(socket: str) -> None:
    grpc: Any = import_module("grpc")
    server = grpc.server(ThreadPoolExecutor(1))
    handlers = {METHOD: grpc.unary_unary_rpc_method_handler(fabs)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print("ready", flush=True)
    sys.stdin.buffer.read()
    server.stop(None)


def call(socket: str, command: Sequence[str]) -> None:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        grpc: Any = import_module("grpc")
        if server.stdout.readline().strip() != b"ready":
            sys.exit(1)  # it said why, on the standard error that both have
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            take_turns(channel.unary_unary(f"/{SERVICE}/{METHOD}"))
        server.stdin.close()


def take_turns(method: Any) -> None:
    found = NUMBER.unpack(method(NUMBER.pack(-1.5), wait_for_ready=True, timeout=PATIENCE))
    if found != (1.5,):
        sys.exit(f"the call gave {found[0]!r}, expected 1.5")
    print("ready", flush=True)
    request = NUMBER.pack(1.5)
    for line in sys.stdin:
        turns = repeat(None, int(line.split()[1]))
        for _ in range(WARMING):
            method(request)
        start = perf_counter_ns()
        for _ in turns:
            method(request)
        print(perf_counter_ns() - start, flush=True)
