# SPDX-License-Identifier: MIT
"""s3-faults.py ENDPOINT: a proxy before an S3 server that goes wrong on demand.

It works in the current directory: its own address is in the file `endpoint`, each request becomes
a line "METHOD TARGET STATUS" of `requests` (the status as the client saw it, or the fault), and
the file `rules` is read anew whenever it has changed.  Headers pass as they are, Host too: what is
signed stays valid.  A rule is a line

    FAULT METHOD PATTERN [FIRST [COUNT]]

PATTERN is a regular expression that is searched in path, query and the names of the headers
x-amz-checksum-*, with a blank before each.  Of the requests that match, the
FIRST one (1 unless given) and those after it, COUNT in all (1; "all"), get the fault; the first
rule that has one for a request decides.  FAULT:

    503            this status with an error document and an empty code; the server sees nothing
    400:CODE       with this code (ExpiredToken, RequestTimeTooSkewed, SlowDown, ...); 200:CODE is
                   an answer of success with an error inside
    reset:90       the connection is reset when 90 % of the request's body have come; of a GET:
                   when 90 % of the answer's body are sent
    cut:90         of a GET: the connection is closed in good order there
    no-etag        the server does it, but the answer's ETag is empty
    no-date        the server does it, but the times in the answer's body are empty
    corrupt        a byte of the request's body is another one; of a GET: of the answer's
    sums           x-amz-checksum-* is compared with the request's body: 400:BadDigest where it is
                   another, else the answer has it too; of the POST that completes an upload:
                   400:InvalidRequest where a part is without the checksum that was answered
    stall          there is no answer
    after:FAULT    the server does it before a status or "reset"
"""
import base64
import hashlib
import http.client
import http.server
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

UPSTREAM = urllib.parse.urlsplit(sys.argv[1])
DOCUMENT = ('<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code>'
            "<Message>made by the test</Message><RequestId>0</RequestId></Error>")
EMPTIED = {"no-etag": rb"(<ETag>)[^<]*", "no-date": rb"(<(?:Initiated|LastModified)>)[^<]*"}
LOCK = threading.Lock()
SUM = "x-amz-checksum-"
HOP = ("connection", "transfer-encoding", "keep-alive", "expect", "content-length")


class Rules:
    stamp = None
    rules = []

    @classmethod
    def fault_for(cls, method, target):
        with LOCK:
            stat = os.stat("rules")
            if (stat.st_mtime_ns, stat.st_ino, stat.st_size) != cls.stamp:
                cls.stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
                with open("rules", encoding="utf-8") as file:
                    cls.rules = [[line.split(), 0] for line in file if line.strip()]
            for rule in cls.rules:
                fault, wanted, pattern, *rest = rule[0]
                if wanted != method or not re.search(pattern, target):
                    continue
                rule[1] += 1
                first = int(rest[0]) if rest else 1
                count = 1 if len(rest) < 2 else sys.maxsize if rest[1] == "all" else int(rest[1])
                if first <= rule[1] < first + count:
                    return fault
        return ""


def crc(body, width, polynomial):
    """Reflected, begun with ones, inverted: as every CRC here is."""
    ones = (1 << width) - 1
    value = ones
    for byte in body:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
    return (value ^ ones).to_bytes(width // 8, "big")


SUMS = {"sha256": lambda body: hashlib.sha256(body).digest(),
        "crc32": lambda body: crc(body, 32, 0xEDB88320),
        "crc32c": lambda body: crc(body, 32, 0x82F63B78),
        "crc64nvme": lambda body: crc(body, 64, 0x9A6C9329AC4BC9B5)}


def flip(body):
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:] if body else body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second waits for nobody
    told = set()

    def log_message(self, *arguments):
        pass

    def note(self, what):
        with LOCK, open("requests", "a", encoding="utf-8") as file:
            file.write("%s %s %s\n" % (self.command, self.path, what))

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def send(self, status, headers, body, upto=100, end=None):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) * upto // 100])
            self.wfile.flush()
        if end:
            end()

    def refuse(self, fault):
        status, _, code = fault.partition(":")
        body = (DOCUMENT % code).encode()
        self.send(int(status), [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body)

    def ask(self, body):
        connection = http.client.HTTPConnection(UPSTREAM.hostname, UPSTREAM.port, timeout=600)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP:
                connection.putheader(name, value)
        if "Content-Length" in self.headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in HOP]
        data = answer.read()
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if length is not None and answer.status != 204:
            headers.append(("Content-Length", length))
        connection.close()
        return answer.status, headers, data

    def end_orderly(self):
        self.close_connection = True

    def sums(self):
        return [(n, v) for n, v in self.headers.items()
                if n.lower().startswith(SUM) and n[len(SUM):].lower() in SUMS]

    def wrong(self, body):
        if self.command == "POST":
            parts = re.findall(rb"<ETag>[^<]*</ETag><ChecksumSHA256>([^<]*)<", body)
            whole = len(parts) == body.count(b"<Part>") and Handler.told.issuperset(parts)
            return "" if whole else "400:InvalidRequest"
        for name, value in self.sums():
            right = base64.b64encode(SUMS[name[len(SUM):].lower()](body)).decode()
            if value != right:
                return "400:BadDigest"
            Handler.told.add(value.encode())
        return ""

    def pass_on(self, fault, share, body):
        if fault == "corrupt" and self.command != "GET":
            body = flip(body)
        status, headers, data = self.ask(body)
        if fault == "no-etag":
            headers = [(n, "" if n.lower() == "etag" else v) for n, v in headers]
        if fault in EMPTIED:
            size = len(data)
            data = re.sub(EMPTIED[fault], rb"\1", data)
            headers = [(n, str(len(data)) if n == "Content-Length" and v == str(size) else v) for n, v in headers]
        if fault == "corrupt" and self.command == "GET":
            data = flip(data)
        if fault == "sums":
            headers += self.sums()
        self.note(fault or status)
        ends = {"reset": self.reset, "cut": self.end_orderly}
        self.send(status, headers, data, int(share or 100), ends.get(fault))

    def serve(self):
        names = "".join(" " + name.lower() for name in self.headers if name.lower().startswith(SUM))
        fault = Rules.fault_for(self.command, self.path + names)
        length = int(self.headers.get("Content-Length", 0))
        kind, _, share = fault.partition(":")
        if kind == "reset" and self.command != "GET":
            self.rfile.read(length * int(share) // 100)
            self.note(fault)
            self.reset()
            return
        body = self.rfile.read(length)
        if kind == "stall":
            self.note(fault)
            time.sleep(3600)
        elif kind == "after":
            self.ask(body)
            self.note(fault)
            if share == "reset":
                self.reset()
            else:
                self.refuse(share)
        elif kind == "sums" and self.wrong(body):
            self.note(self.wrong(body))
            self.refuse(self.wrong(body))
        elif kind.isdigit():
            self.note(fault)
            self.refuse(fault)
        else:
            self.pass_on(kind, share, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, BrokenPipeError)):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    with open("endpoint.partial", "w", encoding="ascii") as file:
        file.write("http://127.0.0.1:%d\n" % server.server_address[1])
    os.rename("endpoint.partial", "endpoint")
    server.serve_forever()


main()
