/* outcall/version.h - which library is this? Since 0.1.0. */
#ifndef OUTCALL_VERSION_H
#define OUTCALL_VERSION_H
#include "common.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_VERSION_MAJOR 0
#define OUTCALL_VERSION_MINOR 1
#define OUTCALL_VERSION_PATCH 0
#define OUTCALL_VERSION_HEX \
    ((OUTCALL_VERSION_MAJOR << 16) | (OUTCALL_VERSION_MINOR << 8) | OUTCALL_VERSION_PATCH)
#define OUTCALL_VERSION_STRING "0.1.0"

/* OUTCALL_VERSION_HEX of the loaded library, which may be newer than the header. Any thread. Since 0.1.0. */
OUTCALL_API unsigned outcall_version(void);

/* "MAJOR.MINOR.PATCH" of the loaded library. Static storage, never freed, any thread. Since 0.1.0. */
OUTCALL_API const char *outcall_version_string(void);

OUTCALL_END_DECLS
#endif
