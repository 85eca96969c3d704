#include "client_peers.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>

#if MARTLET_BENCH_MOSQUITTO
#    include <mosquitto.h>
#endif
#if MARTLET_BENCH_PAHO
#    include <MQTTAsync.h>
#endif

namespace martlet::bench {

namespace {

// Counts on the library's thread what the caller waits for.
class meter {
public:
    void add() {
        std::size_t now = 0;
        {
            const std::lock_guard lock(mutex_);
            now = ++count_;
        }
        if (now >= wanted_) changed_.notify_one();
    }
    void wait(std::size_t wanted) {
        std::unique_lock lock(mutex_);
        wanted_ = wanted;
        changed_.wait(lock, [&] { return count_ >= wanted; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
    std::size_t wanted_ = 0;
};

[[maybe_unused]] const std::string payload(64, 'x');

[[maybe_unused]] void require(bool is_fine) {
    if (!is_fine) std::abort();
}

#if MARTLET_BENCH_MOSQUITTO

struct mosquitto_client {
    explicit mosquitto_client(std::uint16_t port) {
        mosquitto_lib_init();
        m = mosquitto_new("bench", true, this);
        require(m != nullptr);
        mosquitto_connect_callback_set(m, [](mosquitto*, void* self, int) { of(self).ready.add(); });
        mosquitto_publish_callback_set(m, [](mosquitto*, void* self, int) { of(self).done.add(); });
        mosquitto_message_callback_set(m,
                                       [](mosquitto*, void* self, const mosquitto_message*) { of(self).done.add(); });
        mosquitto_max_inflight_messages_set(m, 0);
        require(mosquitto_connect(m, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS);
        require(mosquitto_loop_start(m) == MOSQ_ERR_SUCCESS);
        ready.wait(1);
    }
    ~mosquitto_client() {
        mosquitto_disconnect(m);
        mosquitto_loop_stop(m, false);
        mosquitto_destroy(m);
    }
    static mosquitto_client& of(void* self) { return *static_cast<mosquitto_client*>(self); }

    mosquitto* m = nullptr;
    meter ready;
    meter done;
};

void mosquitto_publishes(std::uint16_t port, std::size_t messages, int qos, std::size_t window) {
    mosquitto_client c(port);
    for (std::size_t i = 0; i < messages; ++i) {
        if (i >= window && qos != 0) c.done.wait(i - window + 1);
        require(mosquitto_publish(c.m, nullptr, "bench", static_cast<int>(payload.size()), payload.data(), qos,
                                  false) == MOSQ_ERR_SUCCESS);
    }
    c.done.wait(messages);
}

void mosquitto_receives(std::uint16_t port, std::size_t messages) {
    mosquitto_client c(port);
    require(mosquitto_subscribe(c.m, nullptr, "bench", 0) == MOSQ_ERR_SUCCESS);
    c.done.wait(messages);
}

#endif

#if MARTLET_BENCH_PAHO

struct paho_client {
    explicit paho_client(std::uint16_t port) {
        const auto url = "tcp://127.0.0.1:" + std::to_string(port);
        require(MQTTAsync_create(&c, url.c_str(), "bench", MQTTCLIENT_PERSISTENCE_NONE, nullptr) == MQTTASYNC_SUCCESS);
        require(MQTTAsync_setCallbacks(c, this, nullptr, &paho_client::on_message, nullptr) == MQTTASYNC_SUCCESS);
        MQTTAsync_connectOptions o = MQTTAsync_connectOptions_initializer;
        o.context = this;
        o.onSuccess = [](void* self, MQTTAsync_successData*) { static_cast<paho_client*>(self)->ready.add(); };
        o.maxInflight = 65'000;
        require(MQTTAsync_connect(c, &o) == MQTTASYNC_SUCCESS);
        ready.wait(1);
    }
    ~paho_client() { MQTTAsync_destroy(&c); }

    static int on_message(void* self, char* topic, int, MQTTAsync_message* message) {
        static_cast<paho_client*>(self)->done.add();
        MQTTAsync_freeMessage(&message);
        MQTTAsync_free(topic);
        return 1;
    }

    MQTTAsync c = nullptr;
    meter ready;
    meter done;
};

void paho_publishes(std::uint16_t port, std::size_t messages, int qos, std::size_t window) {
    paho_client c(port);
    for (std::size_t i = 0; i < messages; ++i) {
        if (i >= window) c.done.wait(i - window + 1);
        MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
        o.context = &c;
        o.onSuccess = [](void* self, MQTTAsync_successData*) { static_cast<paho_client*>(self)->done.add(); };
        require(MQTTAsync_send(c.c, "bench", static_cast<int>(payload.size()), payload.data(), qos, 0, &o) ==
                MQTTASYNC_SUCCESS);
    }
    c.done.wait(messages);
}

void paho_receives(std::uint16_t port, std::size_t messages) {
    paho_client c(port);
    MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
    require(MQTTAsync_subscribe(c.c, "bench", 0, &o) == MQTTASYNC_SUCCESS);
    c.done.wait(messages);
}

#endif

}  // namespace

std::vector<other_client> other_clients() {
    std::vector<other_client> all;
#if MARTLET_BENCH_MOSQUITTO
    all.push_back({"libmosquitto", mosquitto_publishes, mosquitto_receives});
#endif
#if MARTLET_BENCH_PAHO
    all.push_back({"paho c", paho_publishes, paho_receives});
#endif
#if MARTLET_BENCH_BOOST_MQTT5
    all.push_back(boost_mqtt5());
#endif
    return all;
}

}  // namespace martlet::bench
