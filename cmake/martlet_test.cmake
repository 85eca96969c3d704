# martlet_add_test(<name> SOURCES <file>... [SUPPORT <file>...] [LINK <target>...]): one doctest executable
# martlet_<name>_test, and one ctest entry per test file, <name>/<file>, that runs the cases of this file. Files under
# SUPPORT are compiled in, but hold no cases. A test file without a case fails.
function(martlet_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;SUPPORT;LINK")
    if(NOT arg_SOURCES)
        return()
    endif()

    set(target martlet_${name}_test)
    add_executable(${target} ${arg_SOURCES} ${arg_SUPPORT} $<TARGET_OBJECTS:martlet_test_main>)
    martlet_test_target(${target})
    target_link_libraries(${target} PRIVATE ${arg_LINK})

    foreach(source IN LISTS arg_SOURCES)
        cmake_path(GET source STEM stem)
        cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE path)
        cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
        add_test(NAME ${name}/${stem} COMMAND ${target} --source-file=*/${path})
        set_tests_properties(${name}/${stem} PROPERTIES
            TIMEOUT 600
            FAIL_REGULAR_EXPRESSION "test cases: +0 ")
    endforeach()
endfunction()

# What every target under tests/ has in common: warnings, and sight of private headers and of tests/support.
function(martlet_test_target target)
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_include_directories(${target} PRIVATE
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${target} PRIVATE doctest::doctest martlet_warnings)
    # g++ 12 sees uninitialised members behind a std::optional that is empty.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endfunction()
