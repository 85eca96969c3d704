"""Paho's client of Python, with its own thread."""
import os
import queue
import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

host, port, transport, version, ca_file = sys.argv[1:6]
version = int(version)
answers = queue.Queue()
output = threading.Lock()


def say(line):
    with output:
        print(line, flush=True)


def from_hex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def await_answer(what):
    code, detail = answers.get()
    if code >= 0x80 or (what == "connect" and code != 0):
        say(f"error {what}: {code}")
        os._exit(1)
    return detail


def code_of(reason):
    return reason if isinstance(reason, int) else reason.value


def on_connect(client, userdata, flags, reason, properties=None):
    answers.put((code_of(reason), flags["session present"]))


def on_subscribe(client, userdata, mid, granted, properties=None):
    answers.put((code_of(granted[0]), None))


def on_publish(client, userdata, mid):
    answers.put((0, None))


def on_message(client, userdata, m):
    say(f"message {m.topic} {m.qos} {int(m.retain)} {m.payload.hex() or '-'}")


def connect(words):
    is_clean = words[2] == "1"
    options = {} if version == 5 else {"clean_session": is_clean}
    client = mqtt.Client(words[1], protocol=version, transport="websockets" if transport.startswith("w") else "tcp",
                         **options)
    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    client.on_publish, client.on_message = on_publish, on_message
    if transport in ("tls", "wss"):
        client.tls_set(ca_certs=ca_file, cert_reqs=ssl.CERT_REQUIRED)
    if len(words) == 8:
        client.will_set(words[4], from_hex(words[7]), int(words[5]), words[6] == "1")
    more = {}
    if version == 5:
        more["clean_start"] = is_clean
        if not is_clean:
            more["properties"] = Properties(PacketTypes.CONNECT)
            more["properties"].SessionExpiryInterval = 300
    client.connect(host, int(port), **more)
    client.loop_start()
    say(f"connected {await_answer('connect')}")
    return client


client = None
for line in sys.stdin:
    words = line.split()
    if words[0] == "connect":
        client = connect(words)
    elif words[0] == "subscribe":
        client.subscribe(words[1], int(words[2]))
        await_answer("subscribe")
        say("subscribed")
    elif words[0] == "publish":
        client.publish(words[1], from_hex(words[4]), int(words[2]), words[3] == "1")
        await_answer("publish")
        say("published")
    elif words[0] == "disconnect":
        client.disconnect()
        client.loop_stop()
        say("disconnected")
        break
    elif words[0] == "drop":
        os._exit(0)
