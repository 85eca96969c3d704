# What an installation holds: public headers, libraries, the martlet executable, the files for find_package(martlet) and
# for pkg-config. martlet::net is an implementation detail that static linking needs.
#
# Components: runtime (shared libraries), development (headers, static libraries, CMake, pkg-config), tools (the martlet
# executable and what belongs to it).
include(CMakePackageConfigHelpers)

set(martlet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/martlet)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/martlet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT development FILES_MATCHING PATTERN "*.hpp")
set(installed_libraries martlet_core martlet_net martlet_store martlet_faults martlet_client martlet_broker martlet_bridge)
if(MARTLET_AUTH)
    list(APPEND installed_libraries martlet_auth)
endif()
install(TARGETS ${installed_libraries} EXPORT martletTargets
    LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE COMPONENT development)
install(EXPORT martletTargets NAMESPACE martlet:: DESTINATION ${martlet_package_dir} COMPONENT development)
if(TARGET martlet)
    if(BUILD_SHARED_LIBS)
        file(RELATIVE_PATH libraries ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
        set_target_properties(martlet PROPERTIES INSTALL_RPATH "\$ORIGIN/${libraries}")
    endif()
    install(TARGETS martlet COMPONENT tools)
    install(FILES ${PROJECT_SOURCE_DIR}/packaging/systemd/martlet-broker.service DESTINATION lib/systemd/system COMPONENT tools)
endif()

configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/martletConfig.cmake.in ${PROJECT_BINARY_DIR}/martletConfig.cmake
    INSTALL_DESTINATION ${martlet_package_dir}
    NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/martletConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/martletConfig.cmake ${PROJECT_BINARY_DIR}/martletConfigVersion.cmake
        ${PROJECT_SOURCE_DIR}/cmake/martlet_argon2.cmake
    DESTINATION ${martlet_package_dir} COMPONENT development)

# Relative to the .pc file, so that an installation may be moved.
set(prefix_for_pc ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" up ${up})
    set(prefix_for_pc "\${pcfiledir}/${up}")
endif()
cmake_path(APPEND libdir_for_pc "\${prefix}" ${CMAKE_INSTALL_LIBDIR})
cmake_path(APPEND includedir_for_pc "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})

# martlet_add_pkg_config(<layer> <description> [REQUIRES <module>...] [HIDDEN <flag>...]). HIDDEN is what only a static
# library needs at link time; when the installed one is static, every user needs it, also without --static.
function(martlet_add_pkg_config layer description)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "REQUIRES;HIDDEN")
    list(JOIN arg_REQUIRES ", " requires)
    list(JOIN arg_HIDDEN " " hidden)
    set(libs "-lmartlet_${layer}")
    set(libs_private "${hidden}")
    if(NOT BUILD_SHARED_LIBS)
        string(STRIP "${libs} ${hidden}" libs)
        set(libs_private "")
    endif()

    configure_file(${PROJECT_SOURCE_DIR}/cmake/martlet.pc.in ${PROJECT_BINARY_DIR}/martlet-${layer}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/martlet-${layer}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()

set(hidden_net -lmartlet_net -lmartlet_store -pthread)
if(MARTLET_WITH_SQLITE)
    list(APPEND hidden_net -lsqlite3)
endif()
if(MARTLET_WITH_TLS)
    list(APPEND hidden_net -lssl -lcrypto)
endif()

martlet_add_pkg_config(core "MQTT protocol core without I/O")
martlet_add_pkg_config(client "MQTT client" REQUIRES martlet-core HIDDEN ${hidden_net})
martlet_add_pkg_config(broker "Embeddable MQTT broker" REQUIRES martlet-core HIDDEN -lmartlet_faults ${hidden_net})
martlet_add_pkg_config(faults "Faults on purpose between MQTT clients and brokers" REQUIRES martlet-core HIDDEN ${hidden_net})
martlet_add_pkg_config(bridge "Bridge between two MQTT brokers" REQUIRES martlet-client)
if(MARTLET_AUTH)
    martlet_add_pkg_config(auth "MQTT password files, ACL files and SCRAM" REQUIRES martlet-core
        HIDDEN -pthread -lcrypto -largon2)
endif()
