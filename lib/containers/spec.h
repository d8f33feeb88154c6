/* containers/spec.h - a caller's wishes, checked and completed: what every later step works from. */
#ifndef CONTAINERS_SPEC_H
#define CONTAINERS_SPEC_H
#include "base/name.h"
#include "outcall/container.h"

#define OC_DEFAULT_USER     "65532:65532"
#define OC_DEFAULT_MEMORY   ((uint64_t)512 << 20)
#define OC_MEMORY_MIN       ((uint64_t)6 << 20)
#define OC_DEFAULT_TMP_SIZE ((uint64_t)64 << 20)
#define OC_TMP_SIZE_MIN     4096U
#define OC_DEFAULT_SHARES   1024U
#define OC_SHARES_MIN       2U
#define OC_SHARES_MAX       262144U
#define OC_NANO_CPUS_MIN    10000000U /* 0.01, Docker's own minimum */
#define OC_DEFAULT_PIDS     256U
#define OC_PIDS_MAX         4194304U /* the kernel's PID_MAX_LIMIT */
#define OC_SPEC_STRINGS_MAX 1024U
#define OC_SPEC_LABELS_MAX  64U
#define OC_SPEC_MOUNTS_MAX  64U
#define OC_IMAGE_NAME_MAX   512U

/* Copies *in to *ret with the defaults filled in (pointers stay the caller's), after every check that needs
 * neither the engine nor the file system. OUTCALL_E_INVALID naming the field; kinds INVALID_REQUEST,
 * MOUNT_INVALID. */
OC_NODISCARD int oc_spec_complete(const outcall_container_spec *in, outcall_container_spec *ret,
                                  outcall_error *err);

/* One of HTTP_PROXY and its five sisters? */
bool oc_is_proxy_variable(const char *env, size_t name_len);

#endif
