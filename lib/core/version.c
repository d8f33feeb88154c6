#include "outcall/version.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#define COMPOSED TEXT(OUTCALL_VERSION_MAJOR) "." TEXT(OUTCALL_VERSION_MINOR) "." TEXT(OUTCALL_VERSION_PATCH)
_Static_assert(__builtin_strcmp(COMPOSED, OUTCALL_VERSION_STRING) == 0, "the version is written in two ways");

unsigned outcall_version(void)
{
    return OUTCALL_VERSION_HEX;
}

const char *outcall_version_string(void)
{
    return OUTCALL_VERSION_STRING;
}
