# What cpack leaves wrong in the .deb files: it calls ldconfig in maintainer scripts, where Debian
# has a trigger, it knows no Multi-Arch, it takes symbolic links for what they point to in the size,
# and directories have the permissions of the builder's umask.
foreach(package IN LISTS CPACK_PACKAGE_FILES)
  if(NOT package MATCHES "\\.deb$")
    continue()
  endif()
  set(tree "${CPACK_TEMPORARY_DIRECTORY}/finish")
  file(REMOVE_RECURSE "${tree}")
  execute_process(COMMAND dpkg-deb --raw-extract "${package}" "${tree}" COMMAND_ERROR_IS_FATAL ANY)
  file(READ "${tree}/DEBIAN/control" control)
  # Headers serve every architecture, libraries may be there for several.
  if(control MATCHES "Architecture: all")
    set(multi_arch foreign)
  else()
    set(multi_arch same)
  endif()
  string(REGEX REPLACE "(Architecture: [^\n]*\n)" "\\1Multi-Arch: ${multi_arch}\n" control
                       "${control}")
  execute_process(COMMAND du -sk "${tree}/usr" OUTPUT_VARIABLE size COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[^0-9].*" "" size "${size}")
  string(REGEX REPLACE "(Installed-Size: )[^\n]*" "\\1${size}" control "${control}")
  file(WRITE "${tree}/DEBIAN/control" "${control}")
  if(EXISTS "${tree}/DEBIAN/shlibs")
    file(REMOVE "${tree}/DEBIAN/postinst" "${tree}/DEBIAN/postrm")
    file(WRITE "${tree}/DEBIAN/triggers" "activate-noawait ldconfig\n")
  endif()
  execute_process(COMMAND chmod -R u=rwX,go=rX "${tree}" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND dpkg-deb --root-owner-group -Zxz --build "${tree}" "${package}"
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE_RECURSE "${tree}")
endforeach()
