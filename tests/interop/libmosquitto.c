// libmosquitto, with its own thread.
#include "driver.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <semaphore.h>
#include <unistd.h>

static sem_t answered;  // CONNACK, SUBACK, or a PUBLISH that is complete
static int session_present;
static int refused;
static int version;

static void on_connect(struct mosquitto* m, void* context, int code, int flags, const mosquitto_property* properties) {
    (void)m, (void)context, (void)properties;
    refused = code;
    session_present = flags & 1;
    sem_post(&answered);
}

static void on_subscribe(struct mosquitto* m, void* context, int id, int count, const int* granted,
                         const mosquitto_property* properties) {
    (void)m, (void)context, (void)id, (void)properties;
    refused = count == 1 && granted[0] <= 2 ? 0 : 1;
    sem_post(&answered);
}

static void on_publish(struct mosquitto* m, void* context, int id, int code, const mosquitto_property* properties) {
    (void)m, (void)context, (void)id, (void)properties;
    refused = code >= 0x80 ? code : 0;
    sem_post(&answered);
}

static void on_message(struct mosquitto* m, void* context, const struct mosquitto_message* message,
                       const mosquitto_property* properties) {
    (void)m, (void)context, (void)properties;
    say_message(message->topic, message->qos, message->retain, message->payload, (size_t)message->payloadlen);
}

static void check_code(int code, const char* what) { check(code == MOSQ_ERR_SUCCESS, what, mosquitto_strerror(code)); }

static void await(const char* what) {
    while (sem_wait(&answered) != 0) {}
    check(refused == 0, what, "refused");
}

static struct mosquitto* connect_to(char** arguments, char** words, int count) {
    const int is_clean = atoi(words[2]);
    // Clean Session of 3.x is of the instance, Clean Start of MQTT 5, too.
    struct mosquitto* const m = mosquitto_new(words[1], is_clean != 0, NULL);
    check(m != NULL, "new", "no memory");
    check_code(mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, version), "version");
    mosquitto_connect_v5_callback_set(m, on_connect);
    mosquitto_subscribe_v5_callback_set(m, on_subscribe);
    mosquitto_publish_v5_callback_set(m, on_publish);
    mosquitto_message_v5_callback_set(m, on_message);
    if (strcmp(arguments[3], "tls") == 0) {
        check_code(mosquitto_tls_set(m, arguments[5], NULL, NULL, NULL, NULL), "tls_set");
    } else {
        check(strcmp(arguments[3], "tcp") == 0, "transport", "libmosquitto 2.0 has no WebSocket");
    }
    if (count == 8) {
        const int size = from_hex(words[7]);
        check_code(mosquitto_will_set(m, words[4], size, words[7], atoi(words[5]), words[6][0] == '1'), "will_set");
    }
    mosquitto_property* properties = NULL;
    if (version == 5 && !is_clean)
        check_code(mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 300), "expiry");
    check_code(mosquitto_connect_bind_v5(m, arguments[1], atoi(arguments[2]), 60, NULL, properties), "connect");
    mosquitto_property_free_all(&properties);
    check_code(mosquitto_loop_start(m), "loop_start");
    await("connect");
    if (version == 3)
        say("connected ?");  // MQTT 3.1 does not tell
    else
        say("connected %d", session_present);
    return m;
}

int main(int argc, char** argv) {
    check(argc == 6, "arguments", "HOST PORT TRANSPORT VERSION CA-FILE");
    version = atoi(argv[4]);
    sem_init(&answered, 0, 0);
    mosquitto_lib_init();

    struct mosquitto* m = NULL;
    char* line = NULL;
    size_t capacity = 0;
    char* words[words_max];
    while (getline(&line, &capacity, stdin) > 0) {
        const int count = split_words(line, words);
        if (count >= 4 && strcmp(words[0], "connect") == 0) {
            m = connect_to(argv, words, count);
        } else if (count == 3 && strcmp(words[0], "subscribe") == 0) {
            check_code(mosquitto_subscribe(m, NULL, words[1], atoi(words[2])), "subscribe");
            await("subscribe");
            say("subscribed");
        } else if (count == 5 && strcmp(words[0], "publish") == 0) {
            const int size = from_hex(words[4]);
            check_code(mosquitto_publish(m, NULL, words[1], size, words[4], atoi(words[2]), words[3][0] == '1'),
                       "publish");
            await("publish");
            say("published");
        } else if (count == 1 && strcmp(words[0], "disconnect") == 0) {
            check_code(mosquitto_disconnect(m), "disconnect");
            check_code(mosquitto_loop_stop(m, false), "loop_stop");
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
