"""Shows whose fault it is that a client does not come through an answer to the WebSocket upgrade that arrives in two pieces.

split_upgrade.py STEP COMMAND...    such as 10 build/interop/paho-c

A WebSocket server of this file's own, no broker, sends "101 Switching Protocols" in two pieces, cut after 1, 1 + STEP, … bytes,
20 ms apart; then CONNACK, one byte at a time. The driver (README.md) is asked to
connect once for each place. Ends with a line that says after which cuts it did.
"""
import base64
import hashlib
import select
import socket
import subprocess
import sys
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ANSWER_TIMEOUT = 2  # seconds; only what hangs reaches it
CONNACK = b"\x82\x04\x20\x02\x00\x00"  # a binary frame


def send_alone(link, piece):
    """Sends a piece, and gives the peer time to read it before the next."""
    link.sendall(piece)
    time.sleep(0.02)


def answer_to(request):
    key = next(line.split(b":")[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")


def attempt(listener, command, cut):
    """What the driver says, and the size of the answer."""
    driver = subprocess.Popen(command + ["127.0.0.1", str(listener.getsockname()[1]), "ws", "4", "-"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    driver.stdin.write("connect c 1 0\n")
    driver.stdin.flush()
    link, _ = listener.accept()
    with link:
        link.settimeout(ANSWER_TIMEOUT)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b""
        while b"\r\n\r\n" not in request:
            request += link.recv(4096)
        answer = answer_to(request)
        try:
            for piece in filter(None, (answer[:cut], answer[cut:])):
                send_alone(link, piece)
            if link.recv(4096):  # CONNECT
                for byte in CONNACK:
                    send_alone(link, bytes([byte]))
        except OSError:
            pass  # it has hung up, or says nothing
        answered, _, _ = select.select([driver.stdout], [], [], ANSWER_TIMEOUT)
        said = driver.stdout.readline().strip() if answered else "nothing"
    driver.kill()
    driver.wait()
    return said.startswith("connected"), len(answer)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    step, command = int(sys.argv[1]), sys.argv[2:]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connected, size = attempt(listener, command, 0)
        if not connected:
            sys.exit("it does not connect when the answer is whole, either")
        cuts = range(1, size, step)
        good = [cut for cut in cuts if attempt(listener, command, cut)[0]]
    print(f"answer of {size} bytes; whole: connected; in two pieces: connected in {len(good)} of {len(cuts)} {good}")


if __name__ == "__main__":
    main()
