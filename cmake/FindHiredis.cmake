# Defines hiredis::hiredis and Hiredis_VERSION for hiredis 0.14 (no target of its own) and 1.x alike.
if(TARGET hiredis::hiredis)
  set(Hiredis_FOUND TRUE)
  return()
endif()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_HIREDIS QUIET hiredis)
endif()
find_path(Hiredis_INCLUDE_DIR hiredis/hiredis.h HINTS ${PC_HIREDIS_INCLUDEDIR} ${PC_HIREDIS_PREFIX}/include)
find_library(Hiredis_LIBRARY hiredis HINTS ${PC_HIREDIS_LIBDIR})
mark_as_advanced(Hiredis_INCLUDE_DIR Hiredis_LIBRARY)

if(Hiredis_INCLUDE_DIR)
  set(Hiredis_VERSION)
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS ${Hiredis_INCLUDE_DIR}/hiredis/hiredis.h line REGEX "^#define HIREDIS_${part} +[0-9]+")
    string(REGEX MATCH "[0-9]+" number "${line}")
    list(APPEND Hiredis_VERSION ${number})
  endforeach()
  list(JOIN Hiredis_VERSION . Hiredis_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Hiredis REQUIRED_VARS Hiredis_LIBRARY Hiredis_INCLUDE_DIR
                                  VERSION_VAR Hiredis_VERSION)

if(Hiredis_FOUND)
  add_library(hiredis::hiredis UNKNOWN IMPORTED)
  set_target_properties(hiredis::hiredis PROPERTIES IMPORTED_LOCATION ${Hiredis_LIBRARY}
                                                    INTERFACE_INCLUDE_DIRECTORIES ${Hiredis_INCLUDE_DIR})
endif()
