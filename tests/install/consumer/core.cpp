// A user of the core alone.
#include <martlet/topic.hpp>

int main() { return martlet::topic_matches("garden/+/state", "garden/gate/state") ? 0 : 1; }
