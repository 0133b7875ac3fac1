import type { Boilerplate } from "./boilerplate.ts";

const source = `import json
import sys


def handler(ctx, data):
    """ctx: the call's headers; data: its body, a binary stream. What this returns is the answer."""
    body = data.read()
    name = json.loads(body).get("name", "World") if body else "World"
    print("Greeting", name, file=sys.stderr, flush=True)
    return json.dumps({"message": "Hello " + name})


if __name__ == "__main__":
    import listener

    listener.serve(handler)
`;

const requirements = `# One package a line; they are installed when the function is deployed.
#
# With Fn's FDK instead of listener.py: write the line
#   fdk
# here, and in func.yaml
#   entrypoint: /python/bin/fdk /function/func.py handler
`;

const listener = `"""Answers calls as Fn's contract asks: HTTP/1.1 on the UNIX socket that FN_LISTENER names."""

import io
import os
import socket
import threading
import traceback


def serve(handler):
    path = os.environ["FN_LISTENER"][len("unix:") :]
    ready = os.path.join(os.path.dirname(path), "ready.sock")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(ready)
        os.chmod(ready, 0o666)
        door.listen()
        # Who sees the link finds somebody listening behind it.
        os.symlink("ready.sock", path)
        while True:
            connection, _ = door.accept()
            threading.Thread(target=converse, args=(connection, handler), daemon=True).start()


def converse(connection, handler):
    with connection, connection.makefile("rwb") as stream:
        while stream.readline():
            headers = read_headers(stream)
            data = io.BytesIO(read_body(stream, headers))
            status, answer = answer_of(handler, headers, data)
            stream.write(
                b"HTTP/1.1 %s\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
                % (status, len(answer))
            )
            stream.write(answer)
            stream.flush()


def read_headers(stream):
    headers = {}
    for line in iter(lambda: stream.readline().strip(), b""):
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return headers


def read_body(stream, headers):
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    body = bytearray()
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    read_headers(stream)
    return bytes(body)


def answer_of(handler, headers, data):
    try:
        answer = handler(headers, data)
        return b"200 OK", answer if isinstance(answer, bytes) else str(answer).encode()
    except Exception:
        traceback.print_exc()
        return b"502 Bad Gateway", b'{"message":"The function failed; its log says why."}'
`;

export const python: Boilerplate = {
  functionFile: ["runtime: python", "entrypoint: python3 func.py", "memory: 256"],
  files: () => ({ "func.py": source, "listener.py": listener, "requirements.txt": requirements }),
};
