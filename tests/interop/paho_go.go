// Paho's client of Go.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

var output sync.Mutex

func say(format string, arguments ...interface{}) {
	output.Lock()
	defer output.Unlock()
	fmt.Printf(format+"\n", arguments...)
}

func fail(what string, why interface{}) {
	say("error %s: %v", what, why)
	os.Exit(1)
}

func check(what string, token mqtt.Token) {
	if token.Wait(); token.Error() != nil {
		fail(what, token.Error())
	}
}

func fromHex(text string) []byte {
	if text == "-" {
		return []byte{}
	}
	payload, err := hex.DecodeString(text)
	if err != nil {
		fail("payload", err)
	}
	return payload
}

func toHex(payload []byte) string {
	if len(payload) == 0 {
		return "-"
	}
	return hex.EncodeToString(payload)
}

func qosOf(text string) byte { return text[0] - '0' }

func onMessage(_ mqtt.Client, m mqtt.Message) {
	retained := 0
	if m.Retained() {
		retained = 1
	}
	say("message %s %d %d %s", m.Topic(), m.Qos(), retained, toHex(m.Payload()))
}

func connect(words []string) mqtt.Client {
	host, port, transport, caFile := os.Args[1], os.Args[2], os.Args[3], os.Args[5]
	version, _ := strconv.Atoi(os.Args[4])
	scheme := map[string]string{"tcp": "tcp", "tls": "ssl", "ws": "ws", "wss": "wss"}[transport]
	options := mqtt.NewClientOptions().AddBroker(scheme + "://" + host + ":" + port)
	options.SetClientID(words[1]).SetCleanSession(words[2] == "1").SetProtocolVersion(uint(version))
	options.SetAutoReconnect(false).SetDefaultPublishHandler(onMessage)
	if transport == "tls" || transport == "wss" {
		authority, err := os.ReadFile(caFile)
		if err != nil {
			fail("CA file", err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		options.SetTLSConfig(&tls.Config{RootCAs: roots})
	}
	if len(words) == 8 {
		options.SetBinaryWill(words[4], fromHex(words[7]), qosOf(words[5]), words[6] == "1")
	}
	client := mqtt.NewClient(options)
	check("connect", client.Connect())
	say("connected ?")
	return client
}

func main() {
	var client mqtt.Client
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "connect":
			client = connect(words)
		case "subscribe":
			check("subscribe", client.Subscribe(words[1], qosOf(words[2]), onMessage))
			say("subscribed")
		case "publish":
			check("publish", client.Publish(words[1], qosOf(words[2]), words[3] == "1", fromHex(words[4])))
			say("published")
		case "disconnect":
			client.Disconnect(100)
			say("disconnected")
			return
		case "drop":
			os.Exit(0)
		default:
			fail("command", "unknown")
		}
	}
}
