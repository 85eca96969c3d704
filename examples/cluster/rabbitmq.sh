# Three RabbitMQ nodes with mirrored classic queues, which its MQTT sessions are. Sourced by run.
# shellcheck shell=bash disable=SC2154

rabbit=/usr/lib/rabbitmq/bin

cluster_program() { echo $rabbit/rabbitmq-server; }

cluster_prepare() {
    local i
    epmd_port=$(free_port)
    export HOME=$folder  # of the cookie that nodes know each other by
    (umask 077 && head -c 20 /dev/urandom | base32 >"$folder/.erlang.cookie")
    chmod 400 "$folder/.erlang.cookie"
    for i in 1 2 3; do
        amqp_port[i]=$(free_port) dist_port[i]=$(free_port) mqtt_port[i]=$(free_port)
        mkdir -p "$folder/node$i"
        echo '[rabbitmq_mqtt].' >"$folder/node$i/plugins"
        cat >"$folder/node$i.conf" <<END
listeners.tcp.1 = 127.0.0.1:${amqp_port[i]}
mqtt.listeners.tcp.1 = 127.0.0.1:${mqtt_port[i]}
mqtt.allow_anonymous = true
cluster_partition_handling = pause_minority
loopback_users.guest = true
END
    done
}

of_node() {  # <number> <command>...
    local i=$1
    shift
    env RABBITMQ_NODENAME="mq$i@localhost" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$epmd_port" \
        RABBITMQ_DIST_PORT="${dist_port[i]}" RABBITMQ_CONFIG_FILE="$folder/node$i.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$folder/node$i/plugins" RABBITMQ_MNESIA_BASE="$folder/node$i" \
        ERL_CRASH_DUMP="$folder/node$i/erl_crash.dump" \
        RABBITMQ_LOG_BASE="$folder/node$i" RABBITMQ_PID_FILE="$folder/node$i/pid" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +S 1' \
        RABBITMQ_CTL_ERL_ARGS='+S 1' "$@"
}

node_start() {
    of_node "$1" setsid $rabbit/rabbitmq-server >"$folder/node$1.log" 2>&1 &
    node[$1]=$!
}

# Started, and each queue has all its mirrors again: one that has not caught up may become the leader, without what it lacks.
# (The node's output is asked first, since rabbitmqctl takes seconds of a processor.)
node_is_well() {
    grep -q 'completed with' "$folder/node$1.log" || return
    local queues
    queues=$(of_node "$1" timeout 300 $rabbit/rabbitmqctl -q --no-table-headers list_queues synchronised_slave_pids) || return
    awk -v mirrors=$((nodes_joined - 1)) 'gsub(/<[^>]*>/, "") < mirrors { exit 1 }' <<<"$queues"
} 2>/dev/null

# Erlang's virtual machine, not the script around it.
node_kill() {
    kill -9 "$(cat "$folder/node$1/pid")"
    wait "${node[$1]}" 2>/dev/null || true
}

nodes_joined=1
cluster_form() {
    local i
    for i in 2 3; do
        of_node $i $rabbit/rabbitmqctl -q stop_app
        of_node $i $rabbit/rabbitmqctl -q join_cluster mq1@localhost
        of_node $i $rabbit/rabbitmqctl -q start_app
    done
    of_node 1 $rabbit/rabbitmqctl -q set_policy mirrored '.*' \
        '{"ha-mode":"all","ha-sync-mode":"automatic","ha-promote-on-shutdown":"always"}' --apply-to queues
    nodes_joined=3
}

cluster_end() {  # the port mapper that Erlang started stays behind otherwise
    local mapper
    mapper=$(env ERL_EPMD_PORT="$epmd_port" epmd -names 2>/dev/null) || return 0
    [[ -z $mapper ]] || env ERL_EPMD_PORT="$epmd_port" epmd -kill >/dev/null 2>&1 || true
}
