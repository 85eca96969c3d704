# Run by CPack on the staged files: what Debian's policy asks of every package (12.1, 12.5, 12.7) and an installation
# elsewhere has no use for: compressed manual pages, the licence, the changelog.
function(compress)
    execute_process(COMMAND gzip -9n ${ARGN} COMMAND_ERROR_IS_FATAL ANY)  # -n: the same bytes whenever it is made
endfunction()

set(source ${CMAKE_CURRENT_LIST_DIR}/..)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    string(TOUPPER ${component} upper)
    set(share ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share)
    set(docs ${share}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
    file(MAKE_DIRECTORY ${docs})
    configure_file(${source}/LICENSE ${docs}/copyright COPYONLY)
    configure_file(${source}/CHANGELOG.md ${docs}/changelog COPYONLY)
    file(GLOB pages ${share}/man/*/*)
    compress(${docs}/changelog ${pages})
endforeach()
