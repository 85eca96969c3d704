# Three NATS servers with JetStream, which keeps MQTT sessions and messages on all three. Sourced by run.
# shellcheck shell=bash disable=SC2154

cluster_program() { command -v nats-server || echo /usr/sbin/nats-server; }

cluster_prepare() {
    local i routes=""
    for i in 1 2 3; do
        client_port[i]=$(free_port) route_port[i]=$(free_port) mqtt_port[i]=$(free_port) status_port[i]=$(free_port)
        routes+="${routes:+, }nats://127.0.0.1:${route_port[i]}"
    done
    for i in 1 2 3; do
        cat >"$folder/node$i.conf" <<END
server_name: n$i
listen: 127.0.0.1:${client_port[i]}
http: 127.0.0.1:${status_port[i]}
jetstream { store_dir: "$folder/node$i" }
mqtt { host: 127.0.0.1, port: ${mqtt_port[i]}, ack_wait: "2s" }
cluster { name: martlet, listen: 127.0.0.1:${route_port[i]}, routes: [$routes] }
END
    done
}

node_start() {
    "$(cluster_program)" -c "$folder/node$1.conf" >>"$folder/node$1.log" 2>&1 &
    node[$1]=$!
}

# 200 when its copies of all streams are up to date: a second kill before that would take the majority along. NATS 2.9 may call
# a consumer of the stream of retained messages out of date for as long as nothing is retained; that one does not count.
node_is_well() {
    local answer
    answer=$(exec 3<>"/dev/tcp/127.0.0.1/${status_port[$1]}" && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && cat <&3)
    [[ $answer == *" 200 "* || $answer == *"consumer"*'$MQTT_rmsgs'*"not current"* ]]
} 2>/dev/null

node_kill() {
    kill -9 "${node[$1]}"
    wait "${node[$1]}" 2>/dev/null || true
}

cluster_form() { :; }  # they find each other by their routes
