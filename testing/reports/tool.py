"""The small servers and clients of these scripts: tool.py COMMAND ARGUMENT...

COMMANDS at the end lists them. What one returns is printed. Only the standard library is used.
"""
import ctypes
import errno
import os
import socket
import struct
import sys
import threading
import time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(address, port, backlog=64, share=False):
    server = socket.socket(family(address), socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if ":" in address:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind((address, port))
    server.listen(backlog)
    return server


def try_(address, port, here=0, patience=2):
    """Connects and returns: open, refused, unreachable, silent, or the name of the error."""
    with socket.socket(family(address), socket.SOCK_STREAM) as client:
        client.settimeout(float(patience))
        if int(here):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("", int(here)))
        try:
            client.connect((address, int(port)))
            return "open"
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "silent"
        except OSError as error:
            if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
                return "unreachable"
            return errno.errorcode.get(error.errno, str(error))


def several(address, port, first, count):
    """Connects from COUNT local ports. Returns how many succeeded and how many did not."""
    clients = []
    for here in range(int(first), int(first) + int(count)):
        client = socket.socket(family(address), socket.SOCK_STREAM)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("", here))
        client.setblocking(False)
        client.connect_ex((address, int(port)))
        clients.append(client)
        time.sleep(0.02)
    time.sleep(0.8)
    through = 0
    for client in clients:
        try:
            client.getpeername()
            through += 1
        except OSError:
            pass
        client.close()
    return f"{through} {len(clients) - through}"


def talk(address, port, length):
    """Sends a line of LENGTH bytes and returns: same, altered, lost, closed, or reset."""
    line = b"x" * (int(length) - 1) + b"\n"
    try:
        with socket.create_connection((address, int(port)), 3) as client:
            client.settimeout(3)
            client.sendall(line)
            back = b""
            while len(back) < len(line):
                more = client.recv(65536)
                if not more:
                    return "closed"
                back += more
            return "same" if back == line else "altered"
    except TimeoutError:
        return "lost"
    except ConnectionResetError:
        return "reset"


def each(server, serve):
    def one(client):
        try:
            serve(client)
        except OSError:
            pass
        finally:
            client.close()

    while True:
        client, _ = server.accept()
        threading.Thread(target=one, args=(client,), daemon=True).start()


def echo_one(client):
    while data := client.recv(65536):
        client.sendall(data)


def web_one(client):
    request = b""
    while b"\r\n\r\n" not in request:
        data = client.recv(65536)
        if not data:
            return
        request += data
    body = b"" if request.startswith(b"HEAD") else b"hello\n"
    client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n" + body)


def everywhere(port, serve, *addresses):
    for address in addresses or ("0.0.0.0", "::"):
        server = listener(address, int(port))
        threading.Thread(target=each, args=(server, serve)).start()


def names(address, *records):
    """A name server for NAME=ADDRESS and *.ZONE=ADDRESS. Every other name does not exist."""
    known = dict(record.lower().split("=") for record in records)
    server = socket.socket(family(address), socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        query, peer = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += query[at] + 1
        question = query[12 : at + 5]
        asked = struct.unpack(">H", query[at + 1 : at + 3])[0]
        name, zone = ".".join(labels), ".".join(labels[1:])
        while (found := known.get(name) or known.get("*." + zone)) is None and "." in zone:
            zone = zone.split(".", 1)[1]
        answer = b""
        if found and asked == (28 if ":" in found else 1):
            data = socket.inet_pton(family(found), found)
            answer = b"\xc0\x0c" + struct.pack(">HHIH", asked, 1, 60, len(data)) + data
        flags = 0x8580 if found else 0x8583
        head = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answer else 0, 0, 0)
        server.sendto(head + question + answer, peer)


def tun(device):
    """A VPN whose other end takes everything and answers nothing."""
    file = os.open("/dev/net/tun", os.O_RDWR)
    import fcntl

    fcntl.ioctl(file, 0x400454CA, struct.pack("16sH", device.encode(), 0x1001))
    print("up", flush=True)
    while True:
        os.read(file, 65536)


def without_netlink(*command):
    """Runs a command under a seccomp filter that denies AF_NETLINK sockets with EPERM."""
    machine = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}[os.uname().machine]
    arch, call = machine
    steps = [
        (0x20, 0, 0, 4),  # the architecture
        (0x15, 0, 5, arch),
        (0x20, 0, 0, 0),  # the call
        (0x15, 0, 3, call),
        (0x20, 0, 0, 16),  # its first argument
        (0x15, 0, 1, socket.AF_NETLINK),
        (0x06, 0, 0, 0x00050000 | errno.EPERM),
        (0x06, 0, 0, 0x7FFF0000),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, program, 0, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
    os.execvp(command[0], command)


def signed(port, peer):
    """A listener that requires a TCP MD5 signature (RFC 2385) from one peer, as BGP does."""
    server = listener("0.0.0.0", int(port))
    there = struct.pack("=H", socket.AF_INET) + struct.pack(">H", 0) + socket.inet_aton(peer)
    key = b"secret"
    option = there.ljust(128, b"\0") + struct.pack("=BBHI", 0, 0, len(key), 0)
    option += key.ljust(80, b"\0")
    server.setsockopt(socket.IPPROTO_TCP, 14, option)
    each(server, echo_one)


def half_open(address, port, count):
    """Starts connections again and again. A rule of this machine drops the answers."""
    while True:
        clients = []
        for _ in range(int(count)):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((address, int(port)))
            clients.append(client)
        time.sleep(2)


def crowd(address, port, count):
    """Opens connections, as many as are let in, and keeps them."""
    clients = [socket.socket() for _ in range(int(count))]
    for client in clients:
        client.setblocking(False)
        client.connect_ex((address, int(port)))
        time.sleep(0.01)
    time.sleep(3600)


def relay(port, address, there):
    """A published port: accepts, then connects to the other end, as docker-proxy does."""

    def one(client):
        with socket.create_connection((address, int(there)), 3) as other:
            threading.Thread(target=pump, args=(other, client), daemon=True).start()
            pump(client, other)

    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    everywhere(port, one)


def share(port, works):
    """One of several workers on a port (SO_REUSEPORT). One that hangs never accepts."""
    server = listener("0.0.0.0", int(port), backlog=16, share=True)
    if works == "yes":
        each(server, echo_one)
    time.sleep(3600)


def tunnel(port):
    """A web proxy that knows CONNECT only. Every target answers."""

    def one(client):
        if client.recv(65536).startswith(b"CONNECT "):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            echo_one(client)

    everywhere(port, one)


def datagrams(port):
    """Reads UDP and answers nothing, as a VPN does for strangers."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", int(port)))
    while True:
        server.recvfrom(65536)


def hold(address, port, here):
    """An outgoing connection from the local port HERE."""
    client = socket.socket()
    client.bind(("", int(here)))
    client.connect((address, int(port)))
    print("held", flush=True)
    time.sleep(3600)


def bind(port):
    """Tries to listen, as a server would. Returns free or the name of the error."""
    try:
        listener("0.0.0.0", int(port)).close()
        return "free"
    except OSError as error:
        return errno.errorcode[error.errno]


COMMANDS = {
    "try": try_,
    "echo": lambda port, *addresses: everywhere(port, echo_one, *addresses),
    "web": lambda port, *addresses: everywhere(port, web_one, *addresses),
    "without-netlink": without_netlink,
    "half-open": half_open,
}
for known in (
    talk, several, crowd, names, relay, share, signed, tunnel, datagrams, tun, hold, bind,
):
    COMMANDS[known.__name__] = known

if __name__ == "__main__":
    outcome = COMMANDS[sys.argv[1]](*sys.argv[2:])
    if outcome:
        print(outcome)
