# Debian packages by CPack: libmartlet (shared libraries), libmartlet-dev, martlet-tools. scripts/package calls it.
#
# Two build trees go in: the libraries are shared, while the tools are linked with them statically, because a one-shot
# `martlet pub` is over in less time than loading shared libraries takes.
set(MARTLET_TOOLS_BUILD "" CACHE PATH "Build folder of the tools for martlet-tools; empty: no such package")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME martlet)
set(CPACK_PACKAGE_VENDOR Martlet)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own, the first line of its description
set(CPACK_PACKAGE_CONTACT "The Martlet developers <martlet@example.org>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/martlet_package_docs.cmake)
set(CPACK_COMPONENTS_ALL runtime development)
# CPack looks for the components of the list "X" in CPACK_COMPONENTS_X.
set(CPACK_COMPONENTS_LIBRARIES runtime development)
set(CPACK_COMPONENTS_PROGRAMS tools)
set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};martlet;LIBRARIES;/")
# The tools' components never see the shared libraries of this tree.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib/core ${PROJECT_BINARY_DIR}/lib/net
    ${PROJECT_BINARY_DIR}/lib/client ${PROJECT_BINARY_DIR}/lib/broker ${PROJECT_BINARY_DIR}/lib/store
    ${PROJECT_BINARY_DIR}/lib/auth ${PROJECT_BINARY_DIR}/lib/bridge ${PROJECT_BINARY_DIR}/lib/faults)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libmartlet)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/debian/triggers)  # of ldconfig
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "MQTT client and embeddable broker for C++ (shared libraries)
Martlet speaks MQTT 3.1, 3.1.1 and 5.0 as a client and as a broker, on
Boost.Asio.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libmartlet-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libmartlet (= ${PROJECT_VERSION}), libboost1.81-dev | libboost-dev (>= 1.81)")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "MQTT client and embeddable broker for C++ (development files)
Headers, and the files for find_package(martlet) and pkg-config.")

if(MARTLET_TOOLS_BUILD)
    list(APPEND CPACK_COMPONENTS_ALL tools)
    list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${MARTLET_TOOLS_BUILD};martlet;PROGRAMS;/")
    set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME martlet-tools)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION net)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_CONTROL_EXTRA
        ${PROJECT_SOURCE_DIR}/packaging/debian/postinst
        ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
        ${PROJECT_SOURCE_DIR}/packaging/debian/postrm)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_CONTROL_STRICT_PERMISSION ON)
    set(CPACK_COMPONENT_TOOLS_DESCRIPTION "publish, subscribe, broker and measuring tools for MQTT
The command martlet: pub and sub with the flags of mosquitto_pub and
mosquitto_sub, a broker, and more. The broker's systemd unit is not enabled.")
endif()

include(CPack)
