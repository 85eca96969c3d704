// Paho's MQTTClient of C (libpaho-mqtt3cs).
#include "driver.h"

#include <MQTTClient.h>
#include <unistd.h>

static MQTTClient client;
static int version;

static int on_message(void* context, char* topic, int topic_size, MQTTClient_message* m) {
    (void)context;
    (void)topic_size;  // 0: the topic ends with NUL
    say_message(topic, m->qos, m->retained, m->payload, (size_t)m->payloadlen);
    MQTTClient_freeMessage(&m);
    MQTTClient_free(topic);
    return 1;
}

static void check_code(int code, const char* what) {
    check(code == MQTTCLIENT_SUCCESS, what, MQTTClient_strerror(code) != NULL ? MQTTClient_strerror(code) : "refused");
}

static void connect_to(char** arguments, char** words, int count) {
    const char* const transport = arguments[3];
    const char* const scheme = strcmp(transport, "tcp") == 0   ? "tcp"
                               : strcmp(transport, "tls") == 0 ? "ssl"
                                                               : transport;
    const int is_websocket = transport[0] == 'w';
    const int is_clean = atoi(words[2]);
    char url[256];
    snprintf(url, sizeof url, "%s://%s:%s", scheme, arguments[1], arguments[2]);

    MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
    create.MQTTVersion = version;
    check_code(MQTTClient_createWithOptions(&client, url, words[1], MQTTCLIENT_PERSISTENCE_NONE, NULL, &create),
               "create");
    check_code(MQTTClient_setCallbacks(client, NULL, NULL, on_message, NULL), "setCallbacks");

    MQTTClient_connectOptions v3 = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions v3_ws = MQTTClient_connectOptions_initializer_ws;
    MQTTClient_connectOptions v5 = MQTTClient_connectOptions_initializer5;
    MQTTClient_connectOptions v5_ws = MQTTClient_connectOptions_initializer5_ws;
    MQTTClient_connectOptions options = version == 5 ? (is_websocket ? v5_ws : v5) : (is_websocket ? v3_ws : v3);
    options.MQTTVersion = version;
    MQTTProperties properties = MQTTProperties_initializer;
    if (version == 5) {
        options.cleanstart = is_clean;
        if (!is_clean) {
            MQTTProperty expiry;
            expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
            expiry.value.integer4 = 300;
            MQTTProperties_add(&properties, &expiry);
        }
    } else {
        options.cleansession = is_clean;
    }
    MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;
    if (strcmp(transport, "tls") == 0 || strcmp(transport, "wss") == 0) {
        ssl.trustStore = arguments[5];
        ssl.verify = 1;
        options.ssl = &ssl;
    }
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    if (count == 8) {
        will.topicName = words[4];
        will.qos = atoi(words[5]);
        will.retained = atoi(words[6]);
        will.payload.len = from_hex(words[7]);
        will.payload.data = words[7];
        options.will = &will;
    }
    if (version == 5) {
        MQTTResponse response = MQTTClient_connect5(client, &options, &properties, NULL);
        check_code(response.reasonCode, "connect");
        MQTTResponse_free(response);
    } else {
        check_code(MQTTClient_connect(client, &options), "connect");
    }
    MQTTProperties_free(&properties);
    if (version == 4)
        say("connected %d", options.returned.sessionPresent);
    else
        say("connected ?");  // told for 3.1.1 only
}

static void subscribe_to(const char* filter, int qos) {
    int granted = 0;
    if (version == 5) {
        MQTTResponse response = MQTTClient_subscribe5(client, filter, qos, NULL, NULL);
        granted = response.reasonCode;
        MQTTResponse_free(response);
    } else {
        granted = MQTTClient_subscribe(client, filter, qos);
    }
    if (version == 5)
        check(granted == qos, "subscribe", "another QoS was granted");
    else
        check_code(granted, "subscribe");
    say("subscribed");
}

static void publish_to(const char* topic, int qos, int retained, char* payload) {
    const int size = from_hex(payload);
    MQTTClient_message m = MQTTClient_message_initializer;
    m.payload = payload;
    m.payloadlen = size;
    m.qos = qos;
    m.retained = retained;
    MQTTClient_deliveryToken token = 0;
    if (version == 5) {
        MQTTResponse response = MQTTClient_publishMessage5(client, topic, &m, &token);
        check_code(response.reasonCode, "publish");
        MQTTResponse_free(response);
    } else {
        check_code(MQTTClient_publishMessage(client, topic, &m, &token), "publish");
    }
    check_code(MQTTClient_waitForCompletion(client, token, 60000), "waitForCompletion");
    say("published");
}

int main(int argc, char** argv) {
    check(argc == 6, "arguments", "HOST PORT TRANSPORT VERSION CA-FILE");
    version = atoi(argv[4]);
    MQTTClient_init_options init = MQTTClient_init_options_initializer;
    init.do_openssl_init = 1;
    MQTTClient_global_init(&init);

    char* line = NULL;
    size_t capacity = 0;
    char* words[words_max];
    while (getline(&line, &capacity, stdin) > 0) {
        const int count = split_words(line, words);
        if (count >= 4 && strcmp(words[0], "connect") == 0) {
            connect_to(argv, words, count);
        } else if (count == 3 && strcmp(words[0], "subscribe") == 0) {
            subscribe_to(words[1], atoi(words[2]));
        } else if (count == 5 && strcmp(words[0], "publish") == 0) {
            publish_to(words[1], atoi(words[2]), atoi(words[3]), words[4]);
        } else if (count == 1 && strcmp(words[0], "disconnect") == 0) {
            check_code(version == 5 ? MQTTClient_disconnect5(client, 1000, MQTTREASONCODE_NORMAL_DISCONNECTION, NULL)
                                    : MQTTClient_disconnect(client, 1000),
                       "disconnect");
            say("disconnected");
            return 0;
        } else if (count == 1 && strcmp(words[0], "drop") == 0) {
            _exit(0);
        } else {
            check(0, "command", "unknown");
        }
    }
    return 0;
}
