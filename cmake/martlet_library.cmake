# martlet_add_library(<layer> SOURCES <file>... [LINK <target>...]): the target martlet_<layer>, known to users and to
# our own other targets as martlet::<layer>. What it links, its users link too. Its sources see the public headers and,
# as "<layer>/x.hpp", the private headers of every layer; tests/layers.cmake says which of them they may use.
#
# martlet_unity_build(<target>): its sources are compiled several at a time if that is wanted. What two of them name alike
# then collides, which scripts/test finds; a file that has to be on its own says so (SKIP_UNITY_BUILD_INCLUSION).
function(martlet_unity_build target)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${MARTLET_UNITY_BUILD} UNITY_BUILD_BATCH_SIZE 12)
endfunction()

function(martlet_add_library layer)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")

    add_library(martlet_${layer} ${arg_SOURCES})
    add_library(martlet::${layer} ALIAS martlet_${layer})

    target_compile_features(martlet_${layer} PUBLIC cxx_std_20)
    target_include_directories(martlet_${layer}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
        PRIVATE ${PROJECT_SOURCE_DIR}/lib)
    target_link_libraries(martlet_${layer} PUBLIC ${arg_LINK} PRIVATE $<BUILD_INTERFACE:martlet_warnings>)

    set_target_properties(martlet_${layer} PROPERTIES
        EXPORT_NAME ${layer}
        LINKER_LANGUAGE CXX
        POSITION_INDEPENDENT_CODE ON  # a static martlet may end in somebody's shared library
        INSTALL_RPATH "\$ORIGIN"      # shared: the others are beside it, wherever the prefix is
        DEFINE_SYMBOL ""              # objects of static and shared libraries are the same: a compiler cache halves the work
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    martlet_unity_build(martlet_${layer})
endfunction()
