"""Peers of telemetry that misbehave, or only take what they get: collectors and a Logstash, each on a thread."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SlowCollector:
    """Answers 200 after a while."""

    def __init__(self, seconds):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(seconds)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Listener:
    """Takes connections, and gives each a thread."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.guard, args=(connection,), daemon=True).start()

    def guard(self, connection):
        with connection:
            try:
                self.serve(connection)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Sink(Listener):
    """A Logstash that reads everything and forgets it."""

    def serve(self, connection):
        buffer = bytearray(1 << 20)
        while connection.recv_into(buffer):
            pass


class Babbler(Listener):
    """Answers whatever comes with bytes that are no HTTP."""

    def serve(self, connection):
        if connection.recv(1 << 20):
            connection.sendall(b"\x00\xff\x01 hello \r\n" * 8)


class Silent:
    """A listener whose connections the kernel takes, and nobody reads."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()
