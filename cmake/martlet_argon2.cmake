# libargon2 has no CMake files of its own: the target martlet::argon2, if there is one. Installed, too, since a static
# martlet_auth leaves the linking to its user, who may have libargon2 in a place of its own.
if(NOT TARGET martlet::argon2)
    find_library(MARTLET_ARGON2_LIBRARY argon2)
    find_path(MARTLET_ARGON2_INCLUDE_DIR argon2.h)
    mark_as_advanced(MARTLET_ARGON2_LIBRARY MARTLET_ARGON2_INCLUDE_DIR)
    if(MARTLET_ARGON2_LIBRARY AND MARTLET_ARGON2_INCLUDE_DIR)
        add_library(martlet::argon2 UNKNOWN IMPORTED)
        set_target_properties(martlet::argon2 PROPERTIES
            IMPORTED_LOCATION ${MARTLET_ARGON2_LIBRARY}
            INTERFACE_INCLUDE_DIRECTORIES ${MARTLET_ARGON2_INCLUDE_DIR}
            INTERFACE_LINK_LIBRARIES Threads::Threads)
    endif()
endif()
