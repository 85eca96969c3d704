"""mosquitto_pub and mosquitto_sub: the session is mosquitto_sub's, each message is a run of mosquitto_pub."""
import os
import subprocess
import sys
import threading

host, port, transport, version, ca_file = sys.argv[1:6]
common = ["-h", host, "-p", port, "-V", {"3": "mqttv31", "4": "mqttv311", "5": "mqttv5"}[version]]
if transport == "tls":
    common += ["--cafile", ca_file]
receiver = None
subscribed = threading.Semaphore(0)
connection = []


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fail(text):
    say("error " + text)
    stop_receiver(kill=True)
    os._exit(1)


def read(stream):
    for line in stream:
        words = line.split()
        if line.startswith("message "):
            say(line.rstrip("\n") if len(words) == 5 else line.strip() + " -")
        elif line.startswith("Subscribed "):
            subscribed.release()


def start_receiver(filter, qos):
    global receiver
    command = ["stdbuf", "-oL", "mosquitto_sub", "-d", "-F", "message %t %q %r %x", "-t", filter, "-q", qos]
    receiver = subprocess.Popen(command + common + connection, stdout=subprocess.PIPE, text=True)
    threading.Thread(target=read, args=(receiver.stdout,), daemon=True).start()
    subscribed.acquire()


def stop_receiver(kill):
    if receiver is None:
        return
    if kill:
        receiver.kill()
    else:
        receiver.terminate()  # it says DISCONNECT
    receiver.wait()


def connect(words):
    global connection
    connection = ["-i", words[1]]
    if words[2] == "0":
        connection += ["-c"] + (["-x", "300"] if version == "5" else [])
    if len(words) == 8:
        connection += ["--will-topic", words[4], "--will-qos", words[5]]
        connection += ["--will-payload", bytes.fromhex(words[7]).decode()]
        connection += ["--will-retain"] if words[6] == "1" else []
    if words[3] == "1" or len(words) == 8:
        start_receiver("unused/" + words[1], "2")
    say("connected ?")


def publish(words):
    payload = b"" if words[4] == "-" else bytes.fromhex(words[4])
    command = ["mosquitto_pub", "-t", words[1], "-q", words[2], "-s" if payload else "-n"] + common + (["-r"] if words[3] == "1" else [])
    done = subprocess.run(command, input=payload, stderr=subprocess.PIPE)
    if done.returncode != 0:
        fail("mosquitto_pub: " + done.stderr.decode())
    say("published")


for line in sys.stdin:
    words = line.split()
    if words[0] == "connect":
        connect(words)
    elif words[0] == "subscribe":
        stop_receiver(kill=False)
        start_receiver(words[1], words[2])
        say("subscribed")
    elif words[0] == "publish":
        publish(words)
    elif words[0] == "disconnect":
        stop_receiver(kill=False)
        say("disconnected")
        break
    elif words[0] == "drop":
        stop_receiver(kill=True)
        break
