"""party.cpp on Paho Python, for comparison: the same arguments, the same lines."""
import os
import sys
import threading
import time
from urllib.parse import urlparse

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TOPIC = "crash/n"
PAYLOAD_SIZE = 64

role, url, client_id = sys.argv[1:4]
qos, version, keep_alive, inflight = (int(word) for word in sys.argv[4:8])
first, last, rate = (int(word) for word in sys.argv[8:11]) if role == "publish" else (0, 0, 0)
where = urlparse(url)
delivered = 0
connected = threading.Event()


def say(line):
    os.write(1, (line + "\n").encode())


def on_connect(client, userdata, flags, reason, properties=None):
    if role == "subscribe" and not client.has_subscribed:  # a SUBSCRIBE that gets lost is not sent again by Paho
        client.subscribe(TOPIC, qos)
    connected.set()


def on_subscribe(client, userdata, mid, granted, properties=None):
    if not client.has_subscribed:
        client.has_subscribed = True
        say("subscribed")


def on_publish(client, userdata, mid):
    global delivered
    delivered += 1  # only this thread writes
    if delivered == last - first + 1:
        say("delivered")
        os._exit(0)


def on_message(client, userdata, message):
    say(message.payload.split()[0].decode())


options = {} if version == 5 else {"clean_session": False}
client = mqtt.Client(client_id, protocol=version, **options)
client.has_subscribed = False
client.on_connect, client.on_subscribe = on_connect, on_subscribe
client.on_publish, client.on_message = on_publish, on_message
client.reconnect_delay_set(0.005, 0.01)
client.max_inflight_messages_set(inflight)
client.max_queued_messages_set(0)  # no bound
more = {}
if version == 5:
    more = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
    more["properties"].SessionExpiryInterval = 3600
    more["properties"].ReceiveMaximum = inflight
client.connect(where.hostname, where.port, keep_alive, **more)

if role == "subscribe":
    client.loop_forever()
client.loop_start()
connected.wait()
begin = time.monotonic()
for n in range(first, last + 1):
    if rate:
        time.sleep(max(0, begin + (n - first) / rate - time.monotonic()))
    client.publish(TOPIC, str(n).ljust(PAYLOAD_SIZE), qos)
threading.Event().wait()  # on_publish ends the process
