/* base/fault.h - named places where a test build can be told to die or fail. Compiled out everywhere else.
 * OUTCALL_FAULT="create.staged:kill" makes the process send itself SIGKILL there; ":stop" SIGSTOP; ":fail"
 * makes oc_fault() return true, which the place turns into an ordinary failure. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H
#include "base/base.h"

#ifdef OUTCALL_FAULTS
bool oc_fault(const char *place);
#else
static inline bool oc_fault(const char *place)
{
    (void)place;
    return false;
}
#endif

#endif
