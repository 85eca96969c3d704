// What is published: see the header.
#include <martlet/payload.hpp>

namespace martlet {

std::shared_ptr<const void> payload::share() && {
    if (is_kept_) {
        auto shared = std::make_shared<const std::string>(std::move(kept_));
        view_ = *shared;
        owner_ = std::move(shared);
        is_kept_ = false;
    }
    return owner_;
}

}  // namespace martlet
