# What the libraries need. Tests and the command-line tool look for their own packages beside their targets.
#
# Asio stays header-only. Compiling it once (BOOST_ASIO_SEPARATE_COMPILATION) was measured with g++ 12 -O2: a user's
# file with a coroutine takes 3.0 s instead of 3.7 s, one of ours 2.1 s instead of 3.0 s. But the define would have to
# reach the whole program of every user, where another library that uses Asio without it breaks the one definition
# rule. 0.7 s of a limit of 8 s are not worth that.

set(martlet_boost_version 1.81)

find_package(Boost ${martlet_boost_version} QUIET)
if(NOT Boost_FOUND OR NOT TARGET Boost::headers)
    message(FATAL_ERROR
        "martlet needs the headers of Boost ${martlet_boost_version} or newer and found none. "
        "On Debian 12 install the package libboost1.81-dev (the plain libboost-dev is 1.74, and the two exclude each other).")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(MARTLET_AUTH)
    find_package(OpenSSL 3 QUIET COMPONENTS Crypto)
    include(martlet_argon2)
    if(NOT TARGET OpenSSL::Crypto OR NOT TARGET martlet::argon2)
        message(FATAL_ERROR
            "martlet's password files need OpenSSL 3 and libargon2. On Debian install the packages libssl-dev and "
            "libargon2-dev, or set MARTLET_AUTH=OFF.")
    endif()
endif()

if(MARTLET_WITH_TLS)
    find_package(OpenSSL 3.0 QUIET)
    if(NOT OpenSSL_FOUND)
        message(FATAL_ERROR
            "martlet needs OpenSSL 3 for TLS and found none. On Debian 12 install the package libssl-dev, "
            "or build without TLS: -DMARTLET_WITH_TLS=OFF.")
    endif()
endif()

if(MARTLET_WITH_SQLITE)
    find_package(SQLite3 3.37 QUIET)
    if(NOT SQLite3_FOUND)
        message(FATAL_ERROR
            "martlet's persistent store needs SQLite 3.37 or newer. On Debian install the package libsqlite3-dev, or set "
            "MARTLET_WITH_SQLITE=OFF.")
    endif()
endif()

# The dynamic linker takes 2 ms to load and relocate OpenSSL and SQLite: longer than all else that a one-shot
# `martlet pub` does. So a program whose property MARTLET_LINKS_ARCHIVES is ON gets their archives instead. What is
# installed for others names the usual targets.
#
# martlet_link_outside(<target> <imported target> <archive>): `target` links the imported target, or its archive.
function(martlet_link_outside target imported archive)
    set(choice ${imported})
    if(TARGET martlet_archive_${archive})
        set(choice $<IF:$<BOOL:$<TARGET_PROPERTY:MARTLET_LINKS_ARCHIVES>>,martlet_archive_${archive},${imported}>)
    endif()
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:${choice}> $<INSTALL_INTERFACE:${imported}>)
endfunction()

# martlet_find_archive(<name> <file> [<library>...]): the target martlet_archive_<name>, if there is such a file. What it
# needs comes after it.
function(martlet_find_archive name)
    find_library(MARTLET_${name}_ARCHIVE NAMES lib${name}.a)
    mark_as_advanced(MARTLET_${name}_ARCHIVE)
    if(MARTLET_${name}_ARCHIVE)
        add_library(martlet_archive_${name} STATIC IMPORTED)
        set_target_properties(martlet_archive_${name} PROPERTIES
            IMPORTED_LOCATION ${MARTLET_${name}_ARCHIVE} INTERFACE_LINK_LIBRARIES "${ARGN}")
    else()
        message(STATUS "martlet: lib${name}.a is missing; the tool links the shared library and starts more slowly")
    endif()
endfunction()

if(MARTLET_STATIC_TOOL AND NOT BUILD_SHARED_LIBS)
    if(MARTLET_AUTH OR MARTLET_WITH_TLS)
        martlet_find_archive(crypto Threads::Threads ${CMAKE_DL_LIBS})
    endif()
    if(MARTLET_AUTH)
        martlet_find_archive(argon2 Threads::Threads)
    endif()
    if(MARTLET_WITH_TLS AND TARGET martlet_archive_crypto)
        martlet_find_archive(ssl martlet_archive_crypto)
    endif()
    if(MARTLET_WITH_SQLITE)
        martlet_find_archive(sqlite3 Threads::Threads m ${CMAKE_DL_LIBS})
    endif()
endif()
