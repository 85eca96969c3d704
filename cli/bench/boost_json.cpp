// Boost.JSON, compiled once: Debian's package has the headers only.
#include <boost/json/src.hpp>
