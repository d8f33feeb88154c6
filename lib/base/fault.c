#include "base/fault.h"

#ifdef OUTCALL_FAULTS
    #include "base/str.h"
    #include <signal.h>
    #include <string.h>

bool oc_fault(const char *place)
{
    const char *spec = getenv("OUTCALL_FAULT"); /* test builds only; never set while threads run */
    size_t n = strlen(place);
    if (!spec || strncmp(spec, place, n) != 0 || spec[n] != ':')
        return false;
    if (oc_streq(spec + n + 1, "kill"))
        (void)raise(SIGKILL);
    if (oc_streq(spec + n + 1, "stop"))
        (void)raise(SIGSTOP);
    return oc_streq(spec + n + 1, "fail");
}
#else
typedef int oc_fault_is_compiled_out;
#endif
