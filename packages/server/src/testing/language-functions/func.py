"""A function that needs nothing but the standard library."""
import os
import socket
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        getattr(self, self.headers["Fn-Do"])()

    def echo(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in self.pieces():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def tell(self):
        names = (os.environ.get(name, "") for name in ("FN_FN_NAME", "COLOUR"))
        self.answer(" ".join([str(os.getpid()), *names, *sys.argv[1:]]).encode())

    def door(self):
        port = int(os.environ["OCI_LOCAL_ENDPOINT"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as door:
            door.sendall(b"knock\n")
            self.answer(door.makefile("rb").readline())

    def hang(self):
        time.sleep(600)

    def answer(self, body):
        for _ in self.pieces():
            pass
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pieces(self):
        """The body as it comes, chunked or not."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            yield from self.read(int(self.headers.get("Content-Length", 0)))
            return
        while True:
            length = int(self.rfile.readline(), 16)
            yield from self.read(length)
            self.rfile.readline()
            if length == 0:
                return

    def read(self, length):
        while length > 0:
            piece = self.rfile.read1(length)
            length -= len(piece)
            yield piece

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    listener = os.environ["FN_LISTENER"].removeprefix("unix:")
    phony = os.path.join(os.path.dirname(listener), "phonylsnr.sock")
    is_direct = os.environ.get("MODE") == "direct"
    with Server(listener if is_direct else phony, Handler) as server:
        if not is_direct:
            os.symlink("phonylsnr.sock", listener)
        server.serve_forever()
