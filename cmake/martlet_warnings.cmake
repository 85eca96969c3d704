# Warnings for our own code only: linked privately and never exported.
add_library(martlet_warnings INTERFACE)

target_compile_options(martlet_warnings INTERFACE
    $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
        -Woverloaded-virtual -Wcast-align -Wcast-qual -Wformat=2 -Wundef -Wimplicit-fallthrough -Wextra-semi>
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>)

if(MARTLET_WARNINGS_AS_ERRORS)
    target_compile_options(martlet_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Werror>)
endif()
