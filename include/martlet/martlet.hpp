// Everything of the client side.
#pragma once

#include <martlet/blocking_client.hpp>
#include <martlet/client.hpp>
#include <martlet/client_options.hpp>
#include <martlet/error.hpp>
#include <martlet/message.hpp>
#include <martlet/packets.hpp>
#include <martlet/payload.hpp>
#include <martlet/properties.hpp>
#include <martlet/store.hpp>
#include <martlet/time.hpp>
#include <martlet/topic.hpp>
#include <martlet/types.hpp>
