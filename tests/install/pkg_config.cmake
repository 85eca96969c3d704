# Compiles one source with nothing but what pkg-config says, and runs it. Every module must be known and complete.
cmake_minimum_required(VERSION 3.25)
set(ENV{PKG_CONFIG_PATH} ${PKG_CONFIG_PATH})
set(ENV{LD_LIBRARY_PATH} ${LIBRARY_PATH})

foreach(module martlet-core martlet-client martlet-broker)
    execute_process(COMMAND ${PKG_CONFIG} --print-errors --exists ${module} COMMAND_ERROR_IS_FATAL ANY)
endforeach()

execute_process(COMMAND ${PKG_CONFIG} --cflags --libs martlet-client martlet-broker
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")

execute_process(COMMAND ${CXX} -std=c++20 ${SOURCE} -o ${PROGRAM} ${flags} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${PROGRAM} COMMAND_ERROR_IS_FATAL ANY)
