include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dsta_cache)

if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.23)
  set(install_headers FILE_SET HEADERS FILE_SET detail)
else()
  install(DIRECTORY include/dsta TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp")
endif()
install(
  TARGETS dsta_cache
  EXPORT dsta_cache-targets
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  ${install_headers})
install(EXPORT dsta_cache-targets NAMESPACE dsta:: DESTINATION ${package_dir})

# Exported by itself: it needs packages that the library's own users may lack.
add_custom_target(dsta_cache_src_hpp ALL DEPENDS ${header_only_dir}/dsta/cache/src.hpp)
install(FILES ${header_only_dir}/dsta/cache/src.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dsta/cache)
install(TARGETS dsta_cache_header_only EXPORT dsta_cache-header_only INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT dsta_cache-header_only NAMESPACE dsta:: DESTINATION ${package_dir})

configure_package_config_file(cmake/dsta_cache-config.cmake.in dsta_cache-config.cmake
                              INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(dsta_cache-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dsta_cache-config.cmake ${PROJECT_BINARY_DIR}/dsta_cache-config-version.cmake
              cmake/FindHiredis.cmake cmake/FindZstd.cmake DESTINATION ${package_dir})

# Relative to the .pc file, so that `cmake --install --prefix` and moved trees work.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE pc_prefix)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE pc_libdir)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE pc_includedir)
if(nlohmann_json_FOUND)
  set(pc_requires nlohmann_json)
endif()
set(pc_needs hiredis fmt)
if(OpenSSL_FOUND)
  list(APPEND pc_needs openssl)
endif()
if(DSTA_CACHE_WITH_ZSTD)
  list(APPEND pc_needs libzstd)
endif()
# A static library's are its users' to link. Asked for by `pkg-config --static` they would bring what they themselves
# need when they are static, which few machines have.
get_target_property(dsta_cache_type dsta_cache TYPE)
if(dsta_cache_type STREQUAL STATIC_LIBRARY)
  list(APPEND pc_requires ${pc_needs})
else()
  set(pc_requires_private ${pc_needs})
endif()
list(JOIN pc_requires " " pc_requires)
list(JOIN pc_requires_private " " pc_requires_private)
configure_file(cmake/dsta_cache.pc.in dsta_cache.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/dsta_cache.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
