"""An interpreter that was started before it is known what for: it waits for one assignment on its channel, becomes
that, and leaves nothing of itself for the function to see.

usage: python3 -s pre_started.py SOCKET-DIRECTORY (warm|bare) (door|no-door) DESCRIPTOR

The channel is the one that Node makes for a child: JSON lines over a socket whose number is in NODE_CHANNEL_FD. It says
{"kind": "ready"}, with the port of its door and the listening socket where the door must be opened in its own network,
and takes one Assignment (../assignment.ts), a line of JSON, from the descriptor. An end of that before is the server's.
"""

import importlib
import importlib.machinery
import io
import json
import os
import socket
import sys
import types

# What functions import most: the servers they listen with, and what the FDK is made of.
MODULES = ["asyncio", "datetime", "functools", "http.server", "inspect", "logging", "random", "re", "socketserver",
           "subprocess", "threading", "typing", "urllib.parse"]


def main():
    _, manner, door, descriptor = sys.argv[1:5]
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    if manner == "warm":
        for name in MODULES:
            importlib.import_module(name)
    tell_ready(channel, door == "door")
    assignment = take(int(descriptor))
    channel.close()
    enter(assignment)
    if assignment["kind"] == "python-fdk":
        run_fdk(assignment)
    else:
        run_file(assignment)


def tell_ready(channel, opens_door):
    if not opens_door:
        channel.sendall(line({"kind": "ready"}))
        return
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        ready = {"kind": "ready", "doorPort": server.getsockname()[1]}
        # How Node sends a listening socket to its parent.
        message = {"cmd": "NODE_HANDLE", "type": "net.Server", "msg": ready}
        socket.send_fds(channel, [line(message)], [server.fileno()])


def line(message):
    return json.dumps(message).encode() + b"\n"


def take(descriptor):
    with open(descriptor, "rb") as lines:
        text = lines.readline()
    if not text:
        os._exit(0)
    return json.loads(text)


def enter(assignment):
    os.environ.clear()
    os.environ.update(assignment["environment"])
    os.umask(0o022)
    os.chdir(assignment["directory"])
    python_path = os.environ.get("PYTHONPATH", "").split(":")
    # The first place was this file's.
    sys.path[0:1] = [""] + [path for path in python_path if path]
    if os.environ.get("PYTHONUNBUFFERED"):
        sys.stdout = sys.__stdout__ = unbuffered(sys.stdout)
        sys.stderr = sys.__stderr__ = unbuffered(sys.stderr)


def unbuffered(stream):
    raw = io.FileIO(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(raw, encoding=stream.encoding, errors=stream.errors, newline="\n", write_through=True)


def run_file(assignment):
    path = os.path.abspath(assignment["file"])
    sys.argv = [assignment["file"], *assignment["words"]]
    sys.path[0] = os.path.dirname(path)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        sys.stderr.write(f"can't open file '{path}': [Errno {error.errno}] {error.strerror}\n")
        sys.exit(2)
    module = types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    module.__dict__.update(__file__=path, __loader__=loader, __builtins__=__builtins__, __cached__=None)
    # Python itself gives its main module this one, up to 3.13.
    if "__annotations__" in globals():
        module.__annotations__ = {}
    sys.modules["__main__"] = module
    shown(lambda: exec(compile(source, path, "exec"), module.__dict__), 2)


def run_fdk(assignment):
    sys.argv = ["fdk", assignment["file"], *assignment["words"]]
    sys.path[0] = os.path.abspath(os.path.dirname(assignment["file"]))
    shown(lambda: importlib.import_module("fdk.scripts.fdk").main(), 2)


def shown(run, own_frames):
    """Runs it; a traceback begins with the function's own frames."""
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        for _ in range(own_frames):
            trace = trace.tb_next if trace is not None else None
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        status = 1
    else:
        return
    sys.exit(status)


main()
