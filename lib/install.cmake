# Library, headers, outcall.pc and the CMake package (find_package(outcall): outcall::outcall, outcall::outcall_static).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/outcall)

install(TARGETS outcall_shared outcall_static EXPORT outcallTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/outcall DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT outcallTargets NAMESPACE outcall:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/outcallConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/outcallConfig.cmake
  INSTALL_DESTINATION ${package_dir})
# Until 1.0 the ABI may change with the minor version.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/outcallConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/outcallConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/outcallConfigVersion.cmake
  DESTINATION ${package_dir})

configure_file(${PROJECT_SOURCE_DIR}/outcall.pc.in ${CMAKE_CURRENT_BINARY_DIR}/outcall.pc.configured @ONLY)
# The prefix of outcall.pc is the one of "cmake --install --prefix", which configuring cannot know.
install(CODE "
  file(READ \"${CMAKE_CURRENT_BINARY_DIR}/outcall.pc.configured\" text)
  string(REPLACE \"%PREFIX%\" \"\${CMAKE_INSTALL_PREFIX}\" text \"\${text}\")
  file(WRITE \"${CMAKE_CURRENT_BINARY_DIR}/outcall.pc\" \"\${text}\")
")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/outcall.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
