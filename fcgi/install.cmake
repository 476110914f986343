# What `cmake --install` puts where, and the Debian package (cpack).  Included by CMakeLists.txt.
#
# A package is configured with -DCMAKE_INSTALL_PREFIX=/usr: the units name the program by its path.

include(GNUInstallDirs)

set(SKF_DATA_DIR ${CMAKE_INSTALL_FULL_DATADIR}/sse-kafka-fanout)
set(SKF_CONFIG_DIR ${CMAKE_INSTALL_FULL_SYSCONFDIR}/sse-kafka-fanout)
set(SKF_CONFIG_FILE ${SKF_CONFIG_DIR}/config.json)
set(systemd ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
set(made ${CMAKE_BINARY_DIR}/install)

install(TARGETS sse-kafka-fanout DESTINATION ${CMAKE_INSTALL_FULL_SBINDIR})
install(PROGRAMS fcgi/mask-log.sh fcgi/fetch-jwks.sh DESTINATION ${SKF_DATA_DIR})
install(DIRECTORY htdocs DESTINATION ${SKF_DATA_DIR})
install(DIRECTORY fcgi/examples DESTINATION ${CMAKE_INSTALL_FULL_DOCDIR} OPTIONAL
  PATTERN "nginx*.conf" EXCLUDE)

# Links of documents lead to what is installed; of what is in the sources alone the name is left.  The image
# is built without them.
if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
  set(license copyright)
else()
  set(license LICENSE)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_FULL_DOCDIR} RENAME ${license})
install(FILES live.webp DESTINATION ${CMAKE_INSTALL_FULL_DOCDIR})
file(GLOB documents RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/*.md)
foreach(document ${documents})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${document})
  file(READ ${document} text)
  string(REPLACE "](LICENSE)" "](${license})" text "${text}")
  string(REPLACE "](fcgi/examples" "](examples" text "${text}")
  string(REGEX REPLACE "\\]\\((fcgi/)?(htdocs/|fetch-jwks)" "](../../sse-kafka-fanout/\\2" text "${text}")
  string(REGEX REPLACE "\\[([^][]*)\\]\\((certs|compose|fcgi|lighttpd|tests)[./][^)]*\\)" "\\1" text "${text}")
  string(REPLACE "**Contents**" "Files without a link are in the sources alone.\n\n**Contents**" text "${text}")
  file(WRITE ${made}/${document} "${text}")
  install(FILES ${made}/${document} DESTINATION ${CMAKE_INSTALL_FULL_DOCDIR})
endforeach()

# From 1.25.1 on nginx warns of how HTTP/2 was asked for before, which older ones need; Debian 12 has 1.22.
file(STRINGS /etc/os-release release REGEX "^VERSION_ID=")
foreach(example nginx.conf nginx-documents.conf)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS fcgi/examples/${example})
  file(READ fcgi/examples/${example} nginx)
  if(NOT release MATCHES "12")
    string(REGEX REPLACE "    # nginx 1.25.1 and later: [^\n]*\n" "" nginx "${nginx}")
    string(REPLACE "443 ssl http2;" "443 ssl;" nginx "${nginx}")
    string(REPLACE "    server_name " "    http2 on;\n    server_name " nginx "${nginx}")
  endif()
  file(WRITE ${made}/examples/${example} "${nginx}")
  install(FILES ${made}/examples/${example} DESTINATION ${CMAKE_INSTALL_FULL_DOCDIR}/examples)
endforeach()

foreach(unit @.socket @.service -standby.socket -standby.service -jwks@.service -jwks@.timer -jwks@.path)
  set(unit sse-kafka-fanout${unit})
  if(EXISTS ${CMAKE_SOURCE_DIR}/fcgi/systemd/${unit}.in)
    configure_file(fcgi/systemd/${unit}.in ${made}/${unit} @ONLY)
    install(FILES ${made}/${unit} DESTINATION ${systemd})
  else()
    install(FILES fcgi/systemd/${unit} DESTINATION ${systemd})
  endif()
endforeach()

# What lies where a man page or a changelog does in Debian is compressed, without a time in it.
function(install_compressed file name directory)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  execute_process(COMMAND gzip -9n INPUT_FILE ${CMAKE_SOURCE_DIR}/${file}
    OUTPUT_FILE ${made}/${name}.gz COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${made}/${name}.gz DESTINATION ${directory})
endfunction()
file(MAKE_DIRECTORY ${made})
install_compressed(fcgi/sse-kafka-fanout.8 sse-kafka-fanout.8 ${CMAKE_INSTALL_FULL_MANDIR}/man8)

# May hold passwords, and an administrator's word: what is there stays.
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}${SKF_CONFIG_FILE}\")
    file(INSTALL \"${CMAKE_SOURCE_DIR}/fcgi/config.json\" DESTINATION \"${SKF_CONFIG_DIR}\"
      PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
  endif()")

# The program alone is installed, whatever else this build can make.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

## The Debian package

set(debian ${CMAKE_SOURCE_DIR}/fcgi/debian)
if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
  install_compressed(fcgi/debian/changelog changelog ${CMAKE_INSTALL_FULL_DOCDIR})
  install(FILES ${debian}/lintian-overrides DESTINATION ${CMAKE_INSTALL_FULL_DATADIR}/lintian/overrides
    RENAME sse-kafka-fanout)
  # For the issuers' keys; root writes them.
  install(DIRECTORY DESTINATION /var/lib/sse-kafka-fanout)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON) # absolute paths, /etc among them
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "sse-kafka-fanout authors <sse-kafka-fanout@example.org>" CACHE STRING
  "who makes the package: NAME <ADDRESS>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Kafka topics as Server-Sent Events, behind a web server")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"A FastCGI responder that streams an Apache Kafka topic to browsers and curl.
It reads the topic once, keeps the newest record of each key in memory, and
sends it to thousands of event streams; lighttpd, Apache, nginx, haproxy or
h2o in front of it does TLS and HTTP/2.  Streams can be guarded by access
tokens (JWT), which are renewed while the stream goes on.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION httpd)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "lighttpd | httpd, curl, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS kcat)
file(WRITE ${made}/conffiles ${SKF_CONFIG_FILE}\n)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/postinst ${debian}/prerm ${debian}/postrm
  ${made}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
