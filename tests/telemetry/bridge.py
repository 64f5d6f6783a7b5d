"""A ClickHouse server as far as our client can tell: its HTTP interface in front of a chDB of its own.

    python -m tests.telemetry.bridge DIRECTORY

Prints its port and serves until its input closes. It is how the server side of the gate is tested where no
server can be installed: the same client, the same HTTP, the same SQL.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

# Of the transport, not of the engine.
TRANSPORT = {"query", "database", "session_id", "client_protocol_version", "wait_end_of_query",
             "send_progress_in_http_headers", "http_headers_progress_interval_ms", "query_id", "compress",
             "enable_http_compression", "buffer_size",
             "cancel_http_readonly_queries_on_client_close"}  # fmt: skip
FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
INSERT = re.compile(rb"(INSERT INTO [^\n]*\bFORMAT Native)\n")
CODE = re.compile(r"Code: (\d+)")


class Handler(BaseHTTPRequestHandler):
    """One request is one statement on a connection of its own thread."""

    protocol_version = "HTTP/1.1"
    path_of_store = ""
    local = threading.local()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Ping."""
        if urlsplit(self.path).path == "/ping":
            self.answer(200, b"Ok.\n", {})
        else:
            self.answer(404, b"", {})

    def do_POST(self) -> None:
        """A statement, in the body; that of an insert is its first line, the data follow."""
        values = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.chunks()
        try:
            result, format = self.run(values, body)
        except Exception as error:
            found = CODE.search(str(error))
            headers = {"X-ClickHouse-Exception-Code": found[1]} if found else {}
            return self.answer(500, str(error).encode(), headers)
        return self.answer(200, result, {"X-ClickHouse-Format": format, "X-ClickHouse-Summary": "{}"})

    def chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def run(self, values: dict[str, str], body: bytes) -> tuple[bytes, str]:
        connection = self.connection_to(values.get("database", "default"))
        settings = {
            name: value
            for name, value in values.items()
            if name not in TRANSPORT and not name.startswith("param_")
        }
        parameters = {name[6:]: value for name, value in values.items() if name.startswith("param_")}
        for name, value in settings.items():
            connection.query(f"SET {name} = '{value}'", "TSV")
        try:
            if found := INSERT.match(body):
                return self.insert(connection, found[1].decode(), body[found.end() :]), "Native"
            sql = body.decode()
            format = found[1] if (found := FORMAT.search(sql)) else "TabSeparated"
            return connection.query(sql, format, params=parameters).bytes() or b"", format
        finally:
            for name in settings:
                connection.query(f"SET {name} = DEFAULT", "TSV")

    def insert(self, connection: chdb.Connection, statement: str, body: bytes) -> bytes:
        statement, format = FORMAT.sub("", statement), FORMAT.search(statement)
        assert format is not None
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            connection.query(
                f"{statement} FROM INFILE '{file.name}' COMPRESSION 'none' FORMAT {format[1]}", "TSV"
            )
        return b""

    def connection_to(self, database: str) -> chdb.Connection:
        connections = self.local.__dict__.setdefault("connections", {})
        if database not in connections:
            connections[database] = chdb.connect(self.path_of_store)
            connections[database].query(f"USE `{database}`", "TSV")
        return connections[database]

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Handler.path_of_store = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
